using System.Security.Cryptography;
using System.Text;

namespace OpenPlatform.Catalog.Audit;

/// <summary>Follows the chain of the audit from its beginning and stops where it breaks. Knows the form of a hash by itself, not from the database it judges.</summary>
internal sealed class AuditChain(AuditAnchor? anchor)
{
    private byte[] _previous = new byte[SHA256.HashSizeInBytes];
    private long _sequence;
    private BrokenEntry? _broken;

    /// <summary>False when the chain is broken and nothing more needs to be read.</summary>
    public bool TryAdd(AuditRow row)
    {
        _broken = Judge(row);
        if (_broken is null)
        {
            (_sequence, _previous) = (row.Sequence, row.Sha256);
        }

        return _broken is null;
    }

    /// <summary>What is to be said after the last entry.</summary>
    public AuditVerdict Verdict()
    {
        if (_broken is null && anchor is not null && anchor.Sequence > _sequence)
        {
            _broken = new(_sequence + 1, $"is missing, and so is all behind it up to {anchor.Sequence}");
        }

        return new(_broken is null, _sequence, _sequence == 0 ? null : new(_sequence, _previous), _broken);
    }

    private BrokenEntry? Judge(AuditRow row)
    {
        if (row.Sequence != _sequence + 1)
        {
            return new(_sequence + 1, "is missing");
        }

        if (!row.PreviousSha256.AsSpan().SequenceEqual(_previous))
        {
            return new(row.Sequence, "does not follow from the entry before it");
        }

        if (!row.Sha256.AsSpan().SequenceEqual(HashOf(row)))
        {
            return new(row.Sequence, "is not as it was written");
        }

        return anchor?.Sequence == row.Sequence && !row.Sha256.AsSpan().SequenceEqual(anchor.Sha256)
            ? new(row.Sequence, "is not the one that was noted: it, or one before it, was written anew")
            : null;
    }

    /// <summary>As the database's <c>audit_append</c> has it: every member on a line of its own.</summary>
    private static byte[] HashOf(AuditRow row) => SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n',
        row.Sequence, (row.At - DateTime.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond, row.Actor, row.TraceId, row.Action, row.Kind, row.Id, row.Changed,
        Hex(row.BeforeSha256), Hex(row.AfterSha256), Hex(row.PreviousSha256))));

    private static string Hex(byte[]? hash) => hash is null ? "" : Convert.ToHexStringLower(hash);
}

/// <summary>An entry as the table has it.</summary>
internal sealed record AuditRow(
    long Sequence, DateTime At, string Actor, string TraceId, string Action, string Kind, string Id, string Changed,
    byte[]? BeforeSha256, byte[]? AfterSha256, byte[] PreviousSha256, byte[] Sha256)
{
    public AuditEntry ToEntry() => new(
        Sequence, new(At, TimeSpan.Zero), Actor, TraceId, Enum.Parse<AuditAction>(Action, ignoreCase: true), Kind, Id,
        Changed.Split(',', StringSplitOptions.RemoveEmptyEntries), BeforeSha256, AfterSha256, PreviousSha256, Sha256);
}
