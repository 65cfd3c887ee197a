using System.ComponentModel;
using System.Text.Json.Serialization;

namespace OpenPlatform.Catalog.Audit;

/// <summary>What a change did to a row.</summary>
public enum AuditAction
{
    Insert,
    Update,
    Delete,
}

/// <summary>One change of one thing, chained to the one before it.</summary>
/// <param name="Sequence">From 1, without gaps.</param>
/// <param name="At">UTC.</param>
/// <param name="Actor">Who: <c>token:…</c>, <c>account:…</c>, <c>oidc:…</c>, <c>system</c>, or <c>database:…</c> for somebody at the database itself.</param>
/// <param name="TraceId">W3C trace id of the request; empty outside of one.</param>
/// <param name="Kind">What was changed, such as <c>plan</c>.</param>
/// <param name="Id">Which one.</param>
/// <param name="Changed">Names of the changed members; all of them for a new row. Never their values.</param>
/// <param name="BeforeSha256">Base64; of the row before without its secrets. Null: it is new.</param>
/// <param name="AfterSha256">Base64; of the row afterwards without its secrets. Null: it is gone.</param>
/// <param name="PreviousSha256">Base64; <paramref name="Sha256"/> of the entry before, 32 zeros for the first.</param>
/// <param name="Sha256">Base64; over all other members.</param>
public sealed record AuditEntry(
    long Sequence, DateTimeOffset At, string Actor, string TraceId, AuditAction Action, string Kind, string Id, IReadOnlyList<string> Changed,
    byte[]? BeforeSha256, byte[]? AfterSha256, byte[] PreviousSha256, byte[] Sha256);

/// <summary>Which entries are asked for; absent members do not filter.</summary>
public sealed record AuditFilter(
    [property: Description("Only changes of this kind, such as plan.")] string? Kind,
    [property: Description("Only changes of the thing with this id.")] string? Id,
    [property: Description("Only changes by this actor.")] string? Actor,
    [property: Description("From this time on.")] DateTimeOffset? From,
    [property: Description("Before this time.")] DateTimeOffset? To);

/// <summary>An entry that was noted elsewhere and must be in the chain as it was.</summary>
/// <param name="Sequence">From 1.</param>
/// <param name="Sha256">Base64 of 32 bytes.</param>
public sealed record AuditAnchor(long Sequence, byte[]? Sha256);

/// <summary>Whether the chain is whole.</summary>
/// <param name="Entries">How many were checked.</param>
/// <param name="Last">The end of the chain. Note it elsewhere: it proves later that no entry was cut off.</param>
/// <param name="Broken">The first entry that is wrong; null when the chain is whole.</param>
public sealed record AuditVerdict(bool IsWhole, long Entries, AuditAnchor? Last, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] BrokenEntry? Broken);

/// <param name="Sequence">Of the first entry that is not what was written, or that is missing.</param>
/// <param name="Detail">What is wrong with it.</param>
public sealed record BrokenEntry(long Sequence, string Detail);
