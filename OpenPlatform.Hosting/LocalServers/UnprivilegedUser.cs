using Aspire.Hosting;

namespace OpenPlatform.Hosting;

/// <summary>Whom a server that refuses to run as root runs as instead. Linux only; needs <c>setpriv</c> (util-linux).</summary>
/// <param name="Name">Account name; the server looks it up.</param>
/// <param name="Id">User id.</param>
/// <param name="Group">Primary group id.</param>
internal sealed record UnprivilegedUser(string Name, int Id, int Group)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(1);

    /// <summary>The account <c>postgres</c> where the system has one, otherwise <c>nobody</c>; null when this process is no root and nothing has to change.</summary>
    internal static UnprivilegedUser? ForServers()
    {
        if (!OperatingSystem.IsLinux() || !Environment.IsPrivilegedProcess)
        {
            return null;
        }

        // name:password:uid:gid:comment:home:shell
        var accounts = File.ReadLines("/etc/passwd").Select(line => line.Split(':')).Where(fields => fields.Length >= 4).ToLookup(fields => fields[0]);
        var account = accounts["postgres"].Concat(accounts["nobody"]).FirstOrDefault()
            ?? throw new DistributedApplicationException("PostgreSQL refuses to run as root, and this system has neither an account 'postgres' nor 'nobody'. Create one, or start the AppHost as an ordinary user.");
        return new(account[0], int.Parse(account[2]), int.Parse(account[3]));
    }

    /// <summary>Puts <c>setpriv</c> before a command line, so that it runs as <paramref name="user"/>.</summary>
    internal static (string FileName, List<string> Arguments) Run(UnprivilegedUser? user, string fileName, IEnumerable<string> arguments) => user is null
        ? (fileName, [.. arguments])
        : (SetPriv ?? throw new DistributedApplicationException("PostgreSQL refuses to run as root, and 'setpriv' (package util-linux) is not on the PATH. Install it, or start the AppHost as an ordinary user."),
            [$"--reuid={user.Id}", $"--regid={user.Group}", "--clear-groups", "--no-new-privs", fileName, .. arguments]);

    internal static string? SetPriv => OperatingSystem.IsLinux() ? Tool.Find("setpriv") : null;

    /// <summary>Gives a file or a folder with all its content to the user.</summary>
    internal async Task OwnAsync(string path, CancellationToken cancellationToken)
    {
        var result = await Tool.RunAsync("chown", ["-R", $"{Id}:{Group}", path], s_limit, cancellationToken);
        if (result.ExitCode != 0)
        {
            throw new IOException($"{path} cannot be given to the account '{Name}': {result.Tail}");
        }
    }
}
