using System.Globalization;
using System.Net.Security;

namespace OpenPlatform.ServiceDefaults.Redis.InRepo;

/// <summary>Where Redis is and how patient to be. Read from a connection string in StackExchange.Redis form.</summary>
public sealed class RedisOptions
{
    /// <summary>Servers to try, in order; the next one after each failed attempt.</summary>
    public IReadOnlyList<(string Host, int Port)> Endpoints { get; init; } = [];

    /// <summary>Name for ACL AUTH; null for the default user.</summary>
    public string? User { get; init; }

    /// <summary>Password; null when the server asks for none. Never logged.</summary>
    public string? Password { get; init; }

    /// <summary>Number given to SELECT, 0 to 15 on an unchanged server.</summary>
    public int Database { get; init; }

    public bool Tls { get; init; }

    /// <summary>Name to expect in the server's certificate; the host when null.</summary>
    public string? TlsHost { get; init; }

    /// <summary>Replaces the platform's certificate check; null keeps it.</summary>
    public RemoteCertificateValidationCallback? CertificateValidation { get; init; }

    /// <summary>Longest time from a call to its end, whatever happens. Default 1 s.</summary>
    public TimeSpan Deadline { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Longest time for TCP, TLS and the log-in together. Default 2 s.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Silence of the server, while it owes an answer, after which the connection is given up. Default 1 s.</summary>
    public TimeSpan StallTimeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Commands that may be unanswered at once; one more fails at once. Default 4096: at 100,000 answers a second
    /// that is 40 ms of work, so a full window means a server in trouble.</summary>
    public int Window { get; init; } = 4096;

    /// <summary>Bytes of commands not yet sent, over all callers. Default 32 MiB.</summary>
    public long MaxQueuedBytes { get; init; } = 32 << 20;

    /// <summary>One span per command. Off by default: a rate limiter would drown the trace of its request.</summary>
    public bool Tracing { get; init; }

    /// <summary>Reads <c>host:port,password=…,ssl=true,user=…,defaultDatabase=1</c>.</summary>
    /// <exception cref="FormatException">The text is not of that form; the message names the part, never a value.</exception>
    public static RedisOptions Parse(string connectionString)
    {
        var endpoints = new List<(string, int)>();
        string? user = null, password = null, tlsHost = null;
        var tls = false;
        int database = 0, connectTimeout = 2000, deadline = 1000;
        foreach (var part in connectionString.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            // Passwords in base64 end with '=', so only the first one separates.
            var equals = part.IndexOf('=');
            if (equals < 0)
            {
                endpoints.Add(ParseEndpoint(part));
                continue;
            }

            var (name, value) = (part[..equals].Trim().ToLowerInvariant(), part[(equals + 1)..].Trim());
            switch (name)
            {
                case "password": password = value; break;
                case "user": user = value; break;
                case "ssl": tls = Boolean(name, value); break;
                case "sslhost": tlsHost = value; break;
                case "defaultdatabase": database = Number(name, value, 0, int.MaxValue); break;
                case "connecttimeout": connectTimeout = Number(name, value, 1, 600_000); break;
                case "asynctimeout": deadline = Number(name, value, 1, 600_000); break;
                // Understood by StackExchange.Redis and without meaning here: this client always reconnects, never blocks.
                case "abortconnect" or "allowadmin" or "channelprefix" or "checkcertificaterevocation" or "configcheckseconds"
                    or "connectretry" or "configchannel" or "keepalive" or "name" or "protocol" or "resolvedns" or "responsetimeout"
                    or "servicename" or "sslprotocols" or "synctimeout" or "tiebreaker" or "version" or "proxy" or "setlib":
                    break;
                default:
                    throw new FormatException($"The Redis connection string has an unknown setting '{name}'.");
            }
        }

        if (endpoints.Count == 0)
        {
            throw new FormatException("The Redis connection string names no server. Expected: host:port[,password=…][,ssl=true].");
        }

        return new RedisOptions
        {
            Endpoints = endpoints,
            User = string.IsNullOrEmpty(user) ? null : user,
            Password = string.IsNullOrEmpty(password) ? null : password,
            Database = database,
            Tls = tls,
            TlsHost = tlsHost,
            ConnectTimeout = TimeSpan.FromMilliseconds(connectTimeout),
            Deadline = TimeSpan.FromMilliseconds(deadline),
            StallTimeout = TimeSpan.FromMilliseconds(deadline),
        };
    }

    private static (string Host, int Port) ParseEndpoint(string text)
    {
        // host, host:port, 10.0.0.1:port, [::1]:port
        var colon = text.LastIndexOf(':');
        var inBrackets = text.StartsWith('[');
        if (colon < 0 || (inBrackets && text.EndsWith(']')))
        {
            return (text.Trim('[', ']'), 6379);
        }

        if (!inBrackets && text.IndexOf(':') != colon)
        {
            throw new FormatException("The Redis connection string has an IPv6 address without brackets. Expected: [::1]:6379.");
        }

        return (text[..colon].Trim('[', ']'), Number("port", text[(colon + 1)..], 1, 65535));
    }

    private static bool Boolean(string name, string value) => bool.TryParse(value, out var result)
        ? result
        : throw new FormatException($"'{name}' in the Redis connection string is neither true nor false.");

    private static int Number(string name, string value, int min, int max) =>
        int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var result) && result >= min && result <= max
            ? result
            : throw new FormatException($"'{name}' in the Redis connection string is not a number from {min} to {max}.");
}
