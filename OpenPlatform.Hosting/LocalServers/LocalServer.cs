using Aspire.Hosting.ApplicationModel;

namespace OpenPlatform.Hosting;

/// <summary>How a container resource runs as a plain process where no container engine is there.</summary>
public interface ILocalServer
{
    /// <summary>Finds or downloads the program and prepares its data folder. Called before every start.</summary>
    /// <exception cref="Aspire.Hosting.DistributedApplicationException">It cannot start; the message names the way out.</exception>
    Task<LocalServerProcess> PrepareAsync(LocalServerContext context, CancellationToken cancellationToken);
}

/// <param name="Resource">The resource that is to run.</param>
/// <param name="Port">The TCP port to listen on, on 127.0.0.1.</param>
/// <param name="DataDirectory">An existing folder of this resource alone.</param>
/// <param name="Report">Receives state texts such as <c>Downloading 37 %</c>.</param>
public sealed record LocalServerContext(IResource Resource, int Port, string DataDirectory, Action<string> Report);

/// <param name="FileName">Absolute path of the program. It stays in the foreground, and ends by SIGTERM.</param>
/// <param name="Arguments">Its arguments; none is a secret.</param>
/// <param name="Environment">Variables beside the inherited ones.</param>
/// <param name="WorkingDirectory">An existing folder.</param>
/// <param name="Description">For people, such as <c>PostgreSQL 18.4 (embedded)</c>.</param>
public sealed record LocalServerProcess(string FileName, IReadOnlyList<string> Arguments, IReadOnlyDictionary<string, string> Environment, string WorkingDirectory, string Description);

/// <summary>Marks a container resource that can also run as a process.</summary>
/// <param name="server">How.</param>
public sealed class LocalServerAnnotation(ILocalServer server) : IResourceAnnotation
{
    public ILocalServer Server => server;

    /// <summary>True: it runs as a process even where a container engine is healthy, because the configuration chose a program.</summary>
    public bool Always { get; init; }
}
