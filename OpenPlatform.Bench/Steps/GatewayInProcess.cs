using System.Runtime.CompilerServices;
using System.Text;
using Microsoft.AspNetCore.Mvc.Testing;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway;
using OpenPlatform.Gateway.Authentication;
using OpenPlatform.Gateway.Instances;
using OpenPlatform.Gateway.Resilience;
using OpenPlatform.Gateway.Snapshots;

namespace OpenPlatform.Bench.Steps;

/// <summary>The gateway's own services with a snapshot of any size, without catalog and Redis.</summary>
internal sealed class GatewayInProcess : WebApplicationFactory<GatewayApp>
{
    private const string Pepper = "pepper-of-the-bench";

    private readonly string _state = Directory.CreateTempSubdirectory("openplatform-bench-").FullName;

    public static string Key(int i) => $"key-of-application-{i:D6}";

    /// <summary>Compiles a snapshot as the gateway does when it applies one.</summary>
    /// <remarks>The snapshot itself is garbage when this returns: a method of its own, or unoptimized code would keep it alive.</remarks>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public GatewaySnapshot Compile(int credentials, int operations) => SnapshotCompiler.Compile(
        Snapshot(credentials, operations, revision: 1), Services.GetRequiredService<InstanceDirectory>(), Services.GetRequiredService<ForwardCompiler>(), Services.GetRequiredService<IdentityCompiler>());

    /// <summary>Applications with a key and a subscription each, spread over APIs of 100 operations.</summary>
    private static Snapshot Snapshot(int credentials, int operations, long revision)
    {
        var (backend, plan) = (Id(1, 0), Id(2, 0));
        var apis = Enumerable.Range(0, Math.Max(1, operations / 100)).Select(a => new ApiModel(
            Id(3, a), $"api-{a}", "v1", Id(4, a), 1, $"/api-{a}/v1", backend,
            [.. Enumerable.Range(0, Math.Min(operations, 100)).Select(static o => new OperationModel($"operation{o}", "GET", $"/resources-{o}/{{id}}"))])).ToArray();
        return new(revision, DateTimeOffset.UnixEpoch, apis,
            [new(backend, "backend", null, [new("http://127.0.0.1:9"), new("http://127.0.0.2:9")])],
            [new(plan, "standard", [new(1_000_000, 1), new(1_000_000_000, 3600)])],
            [.. Enumerable.Range(0, credentials).Select(static i => new ApplicationModel(Id(5, i), Id(6, 0), $"application-{i}", false))],
            [.. Enumerable.Range(0, credentials).Select(static i => new CredentialModel(Id(7, i), Id(5, i), Hash(Key(i))))],
            [.. Enumerable.Range(0, credentials).Select(i => new SubscriptionModel(Id(8, i), Id(5, i), apis[i % apis.Length].VersionId, plan))]);
    }

    protected override void ConfigureWebHost(IWebHostBuilder builder)
    {
        builder.UseSetting("OpenPlatform:KeyPepper", Pepper);
        builder.UseSetting("OpenPlatform:ServiceToken", "service-token-of-the-bench");
        builder.UseSetting("OpenPlatform:StateDirectory", _state);
        builder.UseSetting("services:catalog:http:0", "http://127.0.0.1:9");
        builder.ConfigureLogging(static logging => logging.ClearProviders());
    }

    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        if (disposing && Directory.Exists(_state)) // it is disposed of twice
        {
            Directory.Delete(_state, recursive: true);
        }
    }

    private static byte[] Hash(string key)
    {
        var hash = new byte[KeyHash.Size];
        KeyHash.TryCompute(Encoding.UTF8.GetBytes(Pepper), key, hash);
        return hash;
    }

    private static Guid Id(int kind, int i) => new(i + 1, (short)kind, 0, [1, 0, 0, 0, 0, 0, 0, 0]);
}
