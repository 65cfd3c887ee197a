using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace OpenPlatform.Hosting;

/// <summary>Logs in and says PING: a few lines of protocol instead of a client library.</summary>
/// <param name="connectionString"><c>host:port[,password=…][,user=…][,ssl=true][,sslHost=…]</c>.</param>
internal sealed class RedisHealthCheck(Func<CancellationToken, ValueTask<string?>> connectionString) : IHealthCheck
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(5);

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(s_limit);
        try
        {
            var parts = (await connectionString(limit.Token) ?? throw new FormatException("There is no connection string yet.")).Split(',');
            var options = parts.Skip(1).Select(part => part.Split('=', 2)).Where(pair => pair.Length == 2).ToLookup(pair => pair[0].Trim().ToLowerInvariant(), pair => pair[1]);
            var colon = parts[0].LastIndexOf(':');
            var (host, port) = colon < 0 ? (parts[0], 6379) : (parts[0][..colon], int.Parse(parts[0][(colon + 1)..]));

            using var client = new TcpClient { NoDelay = true };
            await client.ConnectAsync(host, port, limit.Token);
            Stream stream = client.GetStream();
            await using var tls = new SslStream(stream, leaveInnerStreamOpen: true);
            if (options["ssl"].LastOrDefault() is { } ssl && bool.Parse(ssl))
            {
                await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = options["sslhost"].LastOrDefault() ?? host }, limit.Token);
                stream = tls;
            }

            using var reader = new StreamReader(stream, leaveOpen: true);
            if (options["password"].LastOrDefault() is { Length: > 0 } password)
            {
                string[] login = options["user"].LastOrDefault() is { Length: > 0 } user ? ["AUTH", user, password] : ["AUTH", password];
                if (await AskAsync(stream, reader, login, limit.Token) is var answer && answer != "+OK")
                {
                    return HealthCheckResult.Unhealthy($"The server refuses the login: {answer}");
                }
            }

            return await AskAsync(stream, reader, ["PING"], limit.Token) is var pong && pong == "+PONG"
                ? HealthCheckResult.Healthy()
                : HealthCheckResult.Unhealthy($"The server answers PING with {pong}");
        }
        catch (Exception e) when (e is SocketException or IOException or AuthenticationException or FormatException)
        {
            return HealthCheckResult.Unhealthy(e.Message);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return HealthCheckResult.Unhealthy($"No answer within {s_limit.TotalSeconds:0} s.");
        }
    }

    private static async Task<string?> AskAsync(Stream stream, StreamReader reader, string[] words, CancellationToken cancellationToken)
    {
        var request = new StringBuilder($"*{words.Length}\r\n");
        foreach (var word in words)
        {
            request.Append($"${Encoding.UTF8.GetByteCount(word)}\r\n{word}\r\n");
        }

        await stream.WriteAsync(Encoding.UTF8.GetBytes(request.ToString()), cancellationToken);
        return await reader.ReadLineAsync(cancellationToken);
    }
}
