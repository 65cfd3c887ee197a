using System.Diagnostics;
using System.Text.Json;
using Aspire.Hosting;
using Microsoft.Extensions.Configuration;
using OpenPlatform.Hosting.Orchestration;

namespace OpenPlatform.Hosting;

/// <summary>Whether containers can run here.</summary>
internal interface IContainerRuntime
{
    /// <summary>True when a container engine is installed and answers. Asked once; the answer holds for the run.</summary>
    /// <exception cref="DistributedApplicationException"><c>OPENPLATFORM_LOCAL=containers</c> insists on one and there is none.</exception>
    Task<bool> IsHealthyAsync(CancellationToken ct);
}

/// <summary>Asks DCP, which knows docker and podman; <c>OPENPLATFORM_LOCAL=containers|processes</c> overrides.</summary>
internal sealed class ContainerRuntime(IEngine engine, IConfiguration configuration) : IContainerRuntime
{
    private readonly AsyncLock _one = new();
    private bool? _healthy;

    /// <summary><c>docker</c> or <c>podman</c> where the user chose one.</summary>
    public static string? Chosen(IConfiguration configuration) =>
        configuration["DcpPublisher:ContainerRuntime"] ?? configuration["ASPIRE_CONTAINER_RUNTIME"] ?? configuration["DOTNET_ASPIRE_CONTAINER_RUNTIME"];

    public async Task<bool> IsHealthyAsync(CancellationToken ct)
    {
        using (await _one.EnterAsync(ct))
        {
            return _healthy ??= await AskAsync(ct);
        }
    }

    private async Task<bool> AskAsync(CancellationToken ct)
    {
        var choice = configuration["OPENPLATFORM_LOCAL"];
        if (choice is not (null or "" or "containers" or "processes"))
        {
            throw new DistributedApplicationException($"OPENPLATFORM_LOCAL is '{choice}'; it can be 'containers' or 'processes', or be left out.");
        }

        if (choice == "processes")
        {
            return false;
        }

        var containers = await InfoAsync(ct);
        var healthy = containers is { Installed: true, Running: true };
        return healthy || choice != "containers" ? healthy : throw new DistributedApplicationException(
            $"OPENPLATFORM_LOCAL=containers asks for a container engine, but {containers?.Runtime ?? "none"} is " +
            $"{(containers?.Installed == true ? "not running" : "not installed")}. {containers?.Error} Start one, or leave OPENPLATFORM_LOCAL out to run servers as processes.");
    }

    private async Task<DcpContainersInfo?> InfoAsync(CancellationToken ct)
    {
        string[] arguments = Chosen(configuration) is { } runtime ? ["info", "--container-runtime", runtime] : ["info"];
        var start = new ProcessStartInfo((await engine.LocateAsync(ct)).DcpPath, arguments)
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };

        using var process = Process.Start(start) ?? throw new DistributedApplicationException($"'{start.FileName}' could not be started.");
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(TimeSpan.FromSeconds(30));
        try
        {
            var errors = process.StandardError.ReadToEndAsync(limit.Token);
            var output = await process.StandardOutput.ReadToEndAsync(limit.Token);
            await process.WaitForExitAsync(limit.Token);
            await errors;
            return JsonSerializer.Deserialize(output, DcpJson.Default.DcpInfo)?.Containers;
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            process.Kill(entireProcessTree: true);
            return null;   // an engine that does not answer in time is not healthy
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
