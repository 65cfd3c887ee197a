using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace OpenPlatform.Hosting;

/// <summary>Logs in and says PING: a few lines of protocol instead of a client library.</summary>
/// <param name="connectionString">In the form of StackExchange.Redis.</param>
internal sealed class RedisHealthCheck(Func<CancellationToken, ValueTask<string?>> connectionString) : IHealthCheck
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(5);

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(s_limit);
        try
        {
            var server = RedisConnectionString.Parse(await connectionString(limit.Token) ?? throw new FormatException("There is no connection string yet."));
            using var client = new TcpClient { NoDelay = true };
            await client.ConnectAsync(server.Host, server.Port, limit.Token);
            Stream stream = client.GetStream();
            await using var tls = new SslStream(stream, leaveInnerStreamOpen: true);
            if (server.Tls)
            {
                await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = server.TlsHost }, limit.Token);
                stream = tls;
            }

            using var reader = new StreamReader(stream, leaveOpen: true);
            if (server.Password is { Length: > 0 } password)
            {
                string[] login = server.User is { Length: > 0 } user ? ["AUTH", user, password] : ["AUTH", password];
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

/// <summary><c>host[:port][,password=…][,user=…][,ssl=true][,sslHost=…]</c>, as StackExchange.Redis reads it; other options are passed over.</summary>
internal sealed record RedisConnectionString(string Host, int Port, string? User, string? Password, bool Tls, string TlsHost)
{
    internal static RedisConnectionString Parse(string text)
    {
        var parts = text.Split(',');
        var options = parts.Skip(1).Select(part => part.Split('=', 2)).Where(pair => pair.Length == 2).ToLookup(pair => pair[0].Trim().ToLowerInvariant(), pair => pair[1]);
        var colon = parts[0].LastIndexOf(':');
        var (host, port) = colon < 0 ? (parts[0], 6379) : (parts[0][..colon], int.Parse(parts[0][(colon + 1)..]));
        return new(host, port, options["user"].LastOrDefault(), options["password"].LastOrDefault(),
            options["ssl"].LastOrDefault() is { } ssl && bool.Parse(ssl), options["sslhost"].LastOrDefault() ?? host);
    }
}
