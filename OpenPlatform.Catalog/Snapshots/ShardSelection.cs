using OpenPlatform.Contracts.Snapshots.Shards;

namespace OpenPlatform.Catalog.Snapshots;

/// <summary>Which shards are read. A null set: all of that kind.</summary>
/// <param name="Versions">Ids of API versions.</param>
/// <param name="Applications">Segments in the form of <c>segment_of</c>, for example <c>7f</c>.</param>
/// <param name="Credentials">Segments, likewise.</param>
internal sealed record ShardSelection(bool Core, Guid[]? Versions, string[]? Applications, string[]? Credentials)
{
    public static ShardSelection All { get; } = new(true, null, null, null);

    /// <exception cref="FormatException">One of <paramref name="names"/> is no shard: a trigger is wrong.</exception>
    public static ShardSelection Of(IEnumerable<string> names)
    {
        var core = false;
        List<Guid> versions = [];
        List<string> applications = [], credentials = [];
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

        return new(core, [.. versions], [.. applications], [.. credentials]);
    }
}
