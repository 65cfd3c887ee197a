using Aspire.Hosting;

namespace OpenPlatform.Hosting.Publishing;

/// <summary>A tag that names a commit must not be given to anything else.</summary>
internal static class WorkTree
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    /// <summary>Where there is neither a repository nor git nobody can tell.</summary>
    /// <param name="commit">40 digits.</param>
    /// <param name="tag">That is made of it.</param>
    /// <param name="folder">Of the AppHost.</param>
    /// <exception cref="DistributedApplicationException">What would be built is something else.</exception>
    public static async Task EnsureIsCommitAsync(string commit, string tag, string folder)
    {
        if (Tool.Find("git") is not { } git)
        {
            return;
        }

        var head = await GitAsync("rev-parse", "HEAD");
        if (head is not null && head != commit)
        {
            throw new DistributedApplicationException($"The AppHost was built from commit {commit[..12]}, the work tree is at {head[..12]}: build it again, or name a tag with --image-tag.");
        }

        if (await GitAsync("status", "--porcelain") is { Length: > 0 } changes)
        {
            throw new DistributedApplicationException($"There are changes that are not committed (such as {changes.Split('\n')[0].Trim()}), and the tag {tag} names a commit that does not hold them: commit them, or name a tag with --image-tag.");
        }

        async Task<string?> GitAsync(params string[] arguments)
        {
            var (exitCode, output, _) = await Tool.RunAsync(git, arguments, Limit, CancellationToken.None, folder);
            return exitCode == 0 ? output.Trim() : null;
        }
    }
}
