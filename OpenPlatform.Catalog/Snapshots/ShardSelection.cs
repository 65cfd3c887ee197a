using OpenPlatform.Contracts.Snapshots.Shards;

namespace OpenPlatform.Catalog.Snapshots;

/// <summary>Which shards are read. A null set: all of that kind.</summary>
/// <param name="Backends">Segments in the form of <c>segment_of</c>, for example <c>7f</c>.</param>
/// <param name="Plans">Segments, likewise.</param>
/// <param name="Versions">Ids of API versions.</param>
/// <param name="Applications">Segments.</param>
/// <param name="Credentials">Segments.</param>
internal sealed record ShardSelection(bool Core, string[]? Backends, string[]? Plans, Guid[]? Versions, string[]? Applications, string[]? Credentials)
{
    public static ShardSelection All { get; } = new(true, null, null, null, null, null);

    /// <exception cref="FormatException">One of <paramref name="names"/> is no shard: a trigger is wrong.</exception>
    public static ShardSelection Of(IEnumerable<string> names)
    {
        var core = false;
        List<Guid> versions = [];
        List<string> backends = [], plans = [], applications = [], credentials = [];
        foreach (var name in names)
        {
            if (!ShardName.TryParse(name, out var kind, out var version, out var segment))
            {
                throw new FormatException($"There is no shard {name}.");
            }

            switch (kind)
            {
                case ShardKind.Api:
                    versions.Add(version);
                    break;
                case ShardKind.Backends:
                    backends.Add($"{segment:x2}");
                    break;
                case ShardKind.Plans:
                    plans.Add($"{segment:x2}");
                    break;
                case ShardKind.Applications:
                    applications.Add($"{segment:x2}");
                    break;
                case ShardKind.Credentials:
                    credentials.Add($"{segment:x2}");
                    break;
                default:
                    core = true;
                    break;
            }
        }

        return new(core, [.. backends], [.. plans], [.. versions], [.. applications], [.. credentials]);
    }
}
