using System.Diagnostics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Logging.Abstractions;
using OpenPlatform.ServiceDefaults.Redis;
using OpenPlatform.ServiceDefaults.Redis.InRepo;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.ServiceDefaults.InRepo.Redis;

public sealed class RedisTlsTests(RedisTlsTests.TlsServer server) : IClassFixture<RedisTlsTests.TlsServer>
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Over_TLS_an_ACL_user_logs_in_and_works()
    {
        await using var redis = Connect(trusted: true);
        Assert.Equal("PONG", (await redis.ExecuteAsync(["PING"], Stop)).AsString());
        using var subscription = redis.Subscribe("x", _ => { });
        await Eventually.TrueAsync(async () => (await redis.ExecuteAsync(["PUBLISH", "x", "y"], Stop)).AsInt64() == 1);
    }

    [Fact]
    public async Task A_certificate_nobody_vouches_for_is_refused()
    {
        await using var redis = Connect(trusted: false);
        await Assert.ThrowsAsync<RedisUnavailableException>(async () => await redis.ExecuteAsync(["PING"], Stop));
        Assert.False(redis.IsAvailable);
    }

    private RedisClient Connect(bool trusted)
    {
        var parsed = RedisOptions.Parse($"127.0.0.1:{server.Port},user=tester,password={RedisLikeServer.Password},ssl=true,sslHost=redis.test");
        return new RedisClient(
            new RedisOptions
            {
                Endpoints = parsed.Endpoints,
                User = parsed.User,
                Password = parsed.Password,
                Tls = parsed.Tls,
                TlsHost = parsed.TlsHost,
                Deadline = TimeSpan.FromSeconds(10),
                StallTimeout = TimeSpan.FromSeconds(10),
                ConnectTimeout = TimeSpan.FromSeconds(10),
                CertificateValidation = trusted ? (_, certificate, _, _) => certificate!.GetCertHashString() == server.Fingerprint : null,
            },
            TimeProvider.System,
            NullLogger<RedisClient>.Instance);
    }

    /// <summary>redis-server with a certificate of its own and a named user.</summary>
    public sealed class TlsServer : ServerProcess, IAsyncLifetime
    {
        public string Fingerprint { get; private set; } = "";

        async ValueTask IAsyncLifetime.InitializeAsync()
        {
            using var key = RSA.Create(2048);
            var request = new CertificateRequest("CN=redis.test", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
            using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
            Fingerprint = certificate.GetCertHashString();
            File.WriteAllText(Path.Combine(Directory, "cert.pem"), certificate.ExportCertificatePem());
            File.WriteAllText(Path.Combine(Directory, "key.pem"), key.ExportPkcs8PrivateKeyPem());
            await StartAsync();
        }

        protected override ProcessStartInfo StartInfo() => new(RedisServerFixture.Executable())
        {
            ArgumentList =
            {
                "--bind", "127.0.0.1", "--port", "0", "--tls-port", $"{Port}", "--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem",
                "--tls-ca-cert-file", "cert.pem", "--tls-auth-clients", "no", "--user", "tester", "on", $">{RedisLikeServer.Password}", "~*", "&*", "+@all",
                "--user", "default", "off", "--save", "", "--dir", Directory,
            },
            WorkingDirectory = Directory,
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };

        protected override async Task<bool> AnswersAsync()
        {
            try
            {
                using var client = new System.Net.Sockets.TcpClient();
                await client.ConnectAsync(System.Net.IPAddress.Loopback, Port);
                return true;
            }
            catch (System.Net.Sockets.SocketException)
            {
                return false;
            }
        }
    }
}
