using System.Collections.Concurrent;
using System.Net;

namespace OpenPlatform.Tests.Hosting.Orchestration;

/// <summary>
/// Clients that ask without pause. Half open a connection per request; half keep theirs alive and, as HttpClient does, ask an
/// idempotent request again when a kept connection turns out to be closed.
/// </summary>
internal sealed class Load : IAsyncDisposable
{
    private readonly CancellationTokenSource _enough = new();
    private readonly Task _clients;
    private int _answers;

    public Load(Uri url, int clients) => _clients = Task.WhenAll(Enumerable.Range(0, clients).Select(i => Task.Run(() => AskAsync(url, keepAlive: i % 2 == 0))));

    public int Answers => Volatile.Read(ref _answers);
    public ConcurrentQueue<string> Failures { get; } = [];
    public ConcurrentDictionary<string, bool> Instances { get; } = [];

    /// <summary>Completes when this many more requests have been answered.</summary>
    public Task MoreAsync(int answers)
    {
        var goal = Answers + answers;
        return Wait.UntilAsync(() => Task.FromResult(Answers >= goal || !Failures.IsEmpty), 60);
    }

    private async Task AskAsync(Uri url, bool keepAlive)
    {
        using var http = new HttpClient(new SocketsHttpHandler { PooledConnectionLifetime = keepAlive ? Timeout.InfiniteTimeSpan : TimeSpan.Zero }) { Timeout = TimeSpan.FromSeconds(15) };
        while (!_enough.IsCancellationRequested)
        {
            try
            {
                using var answer = await http.GetAsync(url, _enough.Token);
                if (answer.StatusCode != HttpStatusCode.OK)
                {
                    Failures.Enqueue($"{(keepAlive ? "kept" : "fresh")}: {(int)answer.StatusCode}");
                }

                if (answer.Headers.TryGetValues("X-Instance", out var instance))
                {
                    Instances[instance.First()] = true;
                }

                Interlocked.Increment(ref _answers);
            }
            catch (OperationCanceledException) when (_enough.IsCancellationRequested)
            {
            }
            catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
            {
                Failures.Enqueue($"{(keepAlive ? "kept" : "fresh")}: {e.Message} {e.InnerException?.Message}");
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _enough.CancelAsync();
        await _clients;
        _enough.Dispose();
    }
}
