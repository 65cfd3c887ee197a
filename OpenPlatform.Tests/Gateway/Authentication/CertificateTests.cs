using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Authentication;

/// <summary>Client certificates by thumbprint, over real TLS.</summary>
public sealed class CertificateTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_listed_certificate_is_its_application_and_another_is_refused()
    {
        using var known = Create("CN=partner");
        using var stranger = Create("CN=stranger");
        using var expired = Create("CN=old partner", expired: true);
        await using var backend = await TestBackend.StartAsync();
        var snapshot = TestSnapshot.Create([backend.Address]);
        await using var catalog = await TestCatalog.StartAsync(snapshot with
        {
            Plans = [snapshot.Plans[0] with { Schemes = [CredentialSchemes.Certificate] }],
            Certificates =
            [
                new(Guid.NewGuid(), TestSnapshot.Subscriber, known.GetCertHash(HashAlgorithmName.SHA256)),
                new(Guid.NewGuid(), TestSnapshot.Subscriber, expired.GetCertHash(HashAlgorithmName.SHA256)),
            ],
        });

        var folder = Directory.CreateTempSubdirectory("openplatform-certificate-");
        try
        {
            var server = Path.Combine(folder.FullName, "server.pfx");
            using (var certificate = Create("CN=localhost"))
            {
                await File.WriteAllBytesAsync(server, certificate.Export(X509ContentType.Pkcs12, "test"), Stop);
            }

            await using var gateway = await GatewayHost.StartAsync(catalog, settings:
            [
                ("urls", "https://127.0.0.1:0"), ("Kestrel:Certificates:Default:Path", server), ("Kestrel:Certificates:Default:Password", "test"),
                ("OpenPlatform:Gateway:Authentication:ClientCertificates", "true"),
            ]);
            Assert.Equal((HttpStatusCode.OK, ""), await CallAsync(gateway, known));
            Assert.Equal((HttpStatusCode.Unauthorized, "unknown-key"), await CallAsync(gateway, stranger));
            Assert.Equal((HttpStatusCode.Unauthorized, "expired-key"), await CallAsync(gateway, expired));
            Assert.Equal((HttpStatusCode.Unauthorized, "missing-key"), await CallAsync(gateway, null));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task<(HttpStatusCode, string)> CallAsync(GatewayHost gateway, X509Certificate2? certificate)
    {
        using var handler = new SocketsHttpHandler { UseProxy = false };
        handler.SslOptions.RemoteCertificateValidationCallback = static (_, certificate, _, _) => certificate is { Subject: "CN=localhost" };
        if (certificate is not null)
        {
            handler.SslOptions.LocalCertificateSelectionCallback = (_, _, _, _, _) => certificate;
        }

        using var client = new HttpClient(handler) { BaseAddress = gateway.ClientOptions.BaseAddress };
        using var response = await client.GetAsync("/orders/v1/orders", Stop);
        var text = await response.Content.ReadAsStringAsync(Stop);
        return (response.StatusCode, response.IsSuccessStatusCode ? "" : System.Text.Json.JsonDocument.Parse(text).RootElement.GetProperty("type").GetString()!.Split(':')[^1]);
    }

    private static X509Certificate2 Create(string name, bool expired = false)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(name, key, HashAlgorithmName.SHA256);
        using var made = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-10), DateTimeOffset.UtcNow.AddDays(expired ? -1 : 10));
        return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null);
    }
}
