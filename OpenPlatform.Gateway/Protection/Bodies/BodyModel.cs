using System.Text.Json;
using Microsoft.AspNetCore.Http.Features;
using OpenPlatform.Contracts.Schemas;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Refusals;

namespace OpenPlatform.Gateway.Protection.Bodies;

/// <summary>What the request body of one operation must be.</summary>
internal sealed class BodyModel
{
    private readonly long? _maxBytes;
    private readonly string[]? _mediaTypes;
    private readonly bool _required;

    private BodyModel(BodyPolicy? api, BodyPolicy? operation, JsonSchema? schema)
    {
        _maxBytes = operation?.MaxBytes ?? api?.MaxBytes;
        _mediaTypes = (operation?.MediaTypes ?? api?.MediaTypes)?.ToArray();
        _required = operation?.Required ?? api?.Required ?? false;
        Schema = schema;
    }

    /// <summary>Null: the content is not looked at.</summary>
    public JsonSchema? Schema { get; }

    /// <summary>What makes the models of one API's operations: the schemas that they share are read once. Null: anything is right.</summary>
    /// <param name="policies">Checked when the snapshot was.</param>
    public static Func<OperationModel, BodyModel?> Compiler(ApiPolicies? policies)
    {
        var schemas = new JsonSchemaReader(policies?.Schemas ?? new Dictionary<string, JsonElement>(StringComparer.Ordinal), string.Empty, static (_, _) => { });
        return operation =>
        {
            var schema = operation.Policies?.RequestSchema is { } given ? schemas.Read(given, string.Empty) : null;
            return policies?.Body is null && operation.Policies?.Body is null && schema is null ? null : new(policies?.Body, operation.Policies?.Body, schema);
        };
    }

    /// <summary>What can be told before the body is read; its size, when it is not announced, is seen to while it is.</summary>
    public Refusal CheckHead(HttpContext context, bool hasBody)
    {
        if (!hasBody)
        {
            return _required ? Refusal.BodyRequired : Refusal.None;
        }

        var request = context.Request;
        var type = request.ContentType.AsSpan();
        var end = type.IndexOf(';');
        type = (end < 0 ? type : type[..end]).Trim();
        if ((_mediaTypes is not null && !Accepts(type)) || (Schema is not null && (!IsJson(type) || request.Headers.ContentEncoding.Count > 0)))
        {
            return Refusal.MediaTypeNotAccepted;
        }

        if (_maxBytes is { } most)
        {
            if (request.ContentLength > most)
            {
                return Refusal.RequestBodyTooLarge;
            }

            if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit && !(limit.MaxRequestBodySize < most))
            {
                limit.MaxRequestBodySize = most;
            }
        }

        return Refusal.None;
    }

    private bool Accepts(ReadOnlySpan<char> type)
    {
        foreach (var accepted in _mediaTypes!)
        {
            if (accepted.EndsWith("/*", StringComparison.Ordinal)
                ? type.StartsWith(accepted.AsSpan(0, accepted.Length - 1), StringComparison.OrdinalIgnoreCase)
                : type.Equals(accepted, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        return false;
    }

    private static bool IsJson(ReadOnlySpan<char> type) =>
        type.Equals("application/json", StringComparison.OrdinalIgnoreCase) || type.EndsWith("+json", StringComparison.OrdinalIgnoreCase);
}
