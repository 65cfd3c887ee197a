using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;

namespace OpenPlatform.Catalog.Audit;

internal static class AuditEndpoints
{
    public static void MapAudit(this IEndpointRouteBuilder admin)
    {
        admin.MapGet("/audit", List).Needs(Permission.ReadAudit).WithTags("Audit")
            .Lists<AuditEntry>("ListAudit", "Who changed what, newest first.");
        admin.MapPost("/audit:verify", Verify).Needs(Permission.ReadAudit).WithTags("Audit")
            .Describe("VerifyAudit", "Follows the whole chain and names the first entry that is not as it was written.")
            .Produces<AuditVerdict>();
    }

    private static async Task<IResult> List(
        [AsParameters] AuditFilter filter, [AsParameters] PageQuery page, AuditStore audit, HttpContext context, CancellationToken cancellationToken)
    {
        if (page.CheckLimit() is { } problem)
        {
            return problem;
        }

        if (CursorOrNull(page.Cursor) is not { } before)
        {
            return PageQuery.UnknownCursor();
        }

        var limit = page.Limit ?? PageQuery.DefaultLimit;
        var entries = await audit.ListAsync(filter, before, limit + 1, cancellationToken);
        if (entries.Count > limit)
        {
            Span<byte> cursor = stackalloc byte[sizeof(long)];
            BinaryPrimitives.WriteInt64BigEndian(cursor, entries[limit - 1].Sequence);
            PageAnswers.AddNextLink(context, Base64Url.EncodeToString(cursor));
        }

        return TypedResults.Ok(new Page<AuditEntry>([.. entries.Take(limit)]));
    }

    private static async Task<IResult> Verify(AuditAnchor? anchor, AuditStore audit, CancellationToken cancellationToken) =>
        anchor is { Sha256.Length: not SHA256.HashSizeInBytes } or { Sha256: null } or { Sequence: < 1 }
            ? CatalogProblem.Invalid(new ProblemError("", "must have the sequence (from 1) and the sha256 (base64 of 32 bytes) of an entry, or be absent"))
            : TypedResults.Ok(await audit.VerifyAsync(anchor, cancellationToken));

    /// <summary>Null: not one of this list.</summary>
    private static long? CursorOrNull(string? cursor)
    {
        if (cursor is null)
        {
            return long.MaxValue;
        }

        Span<byte> sequence = stackalloc byte[sizeof(long)];
        return PageQuery.TryDecode(cursor, sequence) ? BinaryPrimitives.ReadInt64BigEndian(sequence) : null;
    }
}
