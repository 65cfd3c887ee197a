using System.Net.Sockets;

namespace OpenPlatform.Hosting.Orchestration;

/// <summary>Asks one address of one replica whether it may get traffic.</summary>
/// <param name="Key">The health report it appears as; null where nobody asked for a check and listening is enough.</param>
/// <param name="Url">With a path for HTTP; <c>tcp://host:port</c> for a mere connection.</param>
internal sealed record ReadinessProbe(string? Key, Uri Url, int ExpectedStatus)
{
    // A probe that takes longer than this is a failure: slow readiness is none.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);

    /// <summary>One client for all probes: loopback only, and a development certificate need not be trusted to be alive.</summary>
    private static readonly HttpClient Http = new(new SocketsHttpHandler
    {
        UseProxy = false,
        AllowAutoRedirect = false,
        PooledConnectionIdleTimeout = TimeSpan.FromSeconds(10),
        SslOptions = { RemoteCertificateValidationCallback = static (_, certificate, _, _) => certificate is not null },
    })
    { Timeout = Timeout.InfiniteTimeSpan };

    /// <summary>Null when ready, otherwise why not.</summary>
    public async Task<string?> AskAsync(CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(Limit);
        try
        {
            if (Url.Scheme is "http" or "https")
            {
                using var answer = await Http.GetAsync(Url, HttpCompletionOption.ResponseHeadersRead, limit.Token);
                return (int)answer.StatusCode == ExpectedStatus ? null : $"{Url} answered {(int)answer.StatusCode} instead of {ExpectedStatus}.";
            }

            using var socket = new TcpClient();
            await socket.ConnectAsync(Url.Host, Url.Port, limit.Token);
            return null;
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return $"{Url} did not answer within {Limit.TotalSeconds:0} s.";
        }
        catch (Exception e) when (e is HttpRequestException or SocketException or IOException)
        {
            return $"{Url}: {e.Message}";
        }
    }
}
