using OpenPlatform.Hosting;
using OpenPlatform.Hosting.Orchestration;

namespace OpenPlatform.Tests.Hosting.Orchestration;

/// <summary>One real orchestrator for a class of tests.</summary>
public sealed class DcpRun : IAsyncLifetime
{
    private readonly SessionFolder _folder = new();
    private DcpClient? _client;

    internal DcpClient Client => _client!;
    internal string Folder => _folder.Path;

    public async ValueTask InitializeAsync() =>
        _client = await DcpProcess.StartAsync(await TestEngine.DcpPathAsync(), _folder, Environment.ProcessId, null, TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        if (_client is not null)
        {
            await _client.SetExecutionAsync(new DcpExecution("Stopping", "Full"), CancellationToken.None);
            await Wait.UntilAsync(() => Task.FromResult(!Directory.Exists(_folder.Path)));
            _client.Dispose();
        }

        _folder.Dispose();
    }

    internal async Task<DcpExecutable> UntilAsync(string name, Func<DcpExecutable, bool> condition)
    {
        DcpExecutable? last = null;
        await Wait.UntilAsync(async () => (last = await Client.GetAsync<DcpExecutable>(name, CancellationToken.None)) is { } found && condition(found));
        return last!;
    }
}

internal static class Wait
{
    /// <summary>Polls until true; fails after a limit that is far beyond any measured time.</summary>
    public static async Task UntilAsync(Func<Task<bool>> condition, int seconds = 30, [System.Runtime.CompilerServices.CallerArgumentExpression(nameof(condition))] string what = "")
    {
        var start = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            if (TimeProvider.System.GetElapsedTime(start) > TimeSpan.FromSeconds(seconds))
            {
                Assert.Fail($"Not within {seconds} s: {what}");
            }

            await Task.Delay(50, TestContext.Current.CancellationToken);
        }
    }
}
