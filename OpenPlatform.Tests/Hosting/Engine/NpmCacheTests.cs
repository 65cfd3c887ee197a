using System.Diagnostics;
using Aspire.Hosting;
using OpenPlatform.Hosting;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Hosting.LocalServers;

namespace OpenPlatform.Tests.Hosting.Engine;

[Collection(Beside.Name)]
public sealed class NpmCacheTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private int _finished;

    [Fact]
    public async Task Concurrent_callers_fetch_once()
    {
        await using var registry = await StubRegistry.StartAsync();
        var folders = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => GetAsync(registry)));
        Assert.Single(folders.Distinct());
        Assert.Equal("hello", await File.ReadAllTextAsync(Path.Combine(folders[0], "bin", "program"), TestContext.Current.CancellationToken));
        Assert.Equal((1, 1), (registry.Downloads, _finished));
    }

    [Fact]
    public async Task Another_process_that_fetches_is_waited_for()
    {
        Assert.SkipUnless(Tool.Find("flock") is not null, "The other process is flock(1), from util-linux.");
        await using var registry = await StubRegistry.StartAsync();
        var folder = Path.Combine(_folder, "npm", "stub_engine", "1.2.3");
        Directory.CreateDirectory(Path.GetDirectoryName(folder)!);
        using var other = Process.Start(new ProcessStartInfo("flock", [folder + ".lock", "-c", "echo held; read line"])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        Assert.Equal("held", await other.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken));
        var waits = new TaskCompletionSource();
        var mine = GetAsync(registry, text =>
        {
            if (text.Contains("Another process", StringComparison.Ordinal))
            {
                waits.TrySetResult();
            }
        });
        await waits.Task.WaitAsync(TimeSpan.FromSeconds(15), TestContext.Current.CancellationToken);
        Assert.Equal(0, registry.Downloads);
        await other.StandardInput.WriteLineAsync("go");
        await mine;
        Assert.Equal(1, registry.Downloads);
    }

    [Fact]
    public async Task A_package_with_another_hash_is_refused()
    {
        await using var registry = await StubRegistry.StartAsync();
        registry.Tarball = [.. registry.Tarball, 0];
        var error = await Assert.ThrowsAsync<DistributedApplicationException>(() => GetAsync(registry));
        Assert.Contains(registry.Package.Integrity, error.Message, StringComparison.Ordinal);
        Assert.Null(Cache(registry).Find(registry.Package));
        Assert.Equal(0, _finished);
    }

    [Fact]
    public async Task Half_a_download_does_not_count_and_the_next_attempt_starts_over()
    {
        await using var registry = await StubRegistry.StartAsync();
        registry.BreakAfter = 10;
        var error = await Assert.ThrowsAsync<DistributedApplicationException>(() => GetAsync(registry));
        Assert.Contains("@stub/engine@1.2.3", error.Message, StringComparison.Ordinal);
        Assert.Null(Cache(registry).Find(registry.Package));
        registry.BreakAfter = null;
        Assert.True(File.Exists(Path.Combine(await GetAsync(registry), "bin", "program")));
    }

    [Fact]
    public async Task An_interrupted_installation_does_not_count_and_is_started_over()
    {
        await using var registry = await StubRegistry.StartAsync();
        await Assert.ThrowsAsync<InvalidOperationException>(() => Cache(registry).GetAsync(registry.Package, (_, _) => throw new InvalidOperationException("power cut"), _ => { }, TestContext.Current.CancellationToken));
        Assert.Null(Cache(registry).Find(registry.Package));
        await GetAsync(registry);
        Assert.Equal(2, registry.Downloads);
    }

    [Fact]
    public async Task A_registry_that_wants_credentials_is_asked_by_npm_itself()
    {
        await using var registry = await StubRegistry.StartAsync();
        registry.Token = "let-me-in";
        var npmrc = Path.Combine(_folder, "npmrc");
        await File.WriteAllTextAsync(npmrc, $"//{registry.Host}/:_authToken={registry.Token}\n", TestContext.Current.CancellationToken);
        var cache = new NpmCache(_folder, new Dictionary<string, string>(registry.NpmSettings(_folder)) { ["npm_config_userconfig"] = npmrc });
        Assert.True(File.Exists(Path.Combine(await cache.GetAsync(registry.Package, (_, _) => Task.CompletedTask, _ => { }, TestContext.Current.CancellationToken), "bin", "program")));
    }

    [Fact]
    public async Task Progress_is_told_in_percent()
    {
        await using var registry = await StubRegistry.StartAsync();
        List<string> reports = [];
        await GetAsync(registry, reports.Add);
        Assert.Contains(reports, text => text.StartsWith("Downloading @stub/engine@1.2.3: 100 %", StringComparison.Ordinal));
    }

    public void Dispose() => _folder.Dispose();

    private NpmCache Cache(StubRegistry registry) => new(_folder, registry.NpmSettings(_folder));

    private Task<string> GetAsync(StubRegistry registry, Action<string>? report = null) => Cache(registry).GetAsync(registry.Package, (_, _) =>
    {
        Interlocked.Increment(ref _finished);
        return Task.CompletedTask;
    }, report ?? (_ => { }), TestContext.Current.CancellationToken);
}
