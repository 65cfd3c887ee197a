namespace OpenPlatform.Contracts.Snapshots;

/// <summary>What a part of a snapshot may refer to that is not in it: whether there is a backend, a plan, an application, a version with an id.</summary>
public sealed record Elsewhere(Func<Guid, bool> Backends, Func<Guid, bool> Plans, Func<Guid, bool> Applications, Func<Guid, bool> Versions)
{
    /// <summary>Of a whole snapshot: there is nothing outside of it.</summary>
    public static Elsewhere Nowhere { get; } = new(static _ => false, static _ => false, static _ => false, static _ => false);
}

/// <summary>The ids of one kind that may be referred to: those beside the reference, and those elsewhere.</summary>
internal sealed class KnownIds(HashSet<Guid> here, Func<Guid, bool> elsewhere)
{
    public bool Contains(Guid id) => here.Contains(id) || elsewhere(id);
}
