using System.Text.Json;
using OpenPlatform.Catalog.Snapshots;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Apis;

/// <summary>A revision of which only the document is new.</summary>
internal static class DocumentParts
{
    /// <param name="before">Where backend and policies come from; those of operations that are gone go with them.</param>
    /// <param name="use">What is taken from the new document, whatever was said of it before.</param>
    public static RevisionParts Of(string text, RevisionContent before, DocumentUse use, bool draft)
    {
        var policies = PolicyJson.Model(before.Policies, SnapshotJson.Default.ApiPolicies);
        if (use.Bodies)
        {
            policies = policies is null ? null : policies with { Schemas = null };
        }

        var document = Documents.DocumentText.Parse(text).Document;
        var named = document is { } json && Documents.ApiDocument.Read(json).Document is { } read ? read.Operations.Select(static operation => operation.OperationId).ToHashSet(StringComparer.Ordinal) : [];
        var operations = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach (var operation in before.Operations.Where(operation => operation.Policies is not null && named.Contains(operation.OperationId)))
        {
            var own = PolicyJson.Model(operation.Policies, SnapshotJson.Default.OperationPolicies)!;
            own = use.Bodies ? own with { Body = null, RequestSchema = null } : own;
            own = use.Scopes ? own with { Scopes = null } : own;
            own = use.Examples ? own with { Example = null } : own;
            operations[operation.OperationId] = JsonSerializer.SerializeToElement(own, SnapshotJson.Default.OperationPolicies);
        }

        return new(before.BackendId, null, document ?? JsonSerializer.SerializeToElement(text),
            policies is null ? null : JsonSerializer.SerializeToElement(policies, SnapshotJson.Default.ApiPolicies), operations, use, draft)
        {
            DocumentPointer = "",
        };
    }
}
