using System.Diagnostics;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Protocols;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Catalog;

/// <summary>The token endpoint with clients that nobody here wrote, and their tokens at a real gateway.</summary>
public sealed class OAuthPeerTests(SharedPostgres postgres)
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Another_library_discovers_the_endpoints_gets_tokens_in_every_way_and_calls_an_API_until_they_are_revoked_or_their_key_is()
    {
        NodePeers.Require("npm");
        var issuer = $"http://127.0.0.1:{FreePort.Next()}"; // it names itself, so it must know where it will be
        await using var catalog = new CatalogServer(await postgres.CreateDatabaseAsync(), "Development", ("OpenPlatform:Tokens:Issuer", issuer), ("urls", issuer),
            ("OpenPlatform:Tokens:KeyAhead", "00:00:02")); // from when it is published until it signs: as long as a rotation takes here
        await catalog.ReadyAsync();
        using var admin = catalog.Operator();
        await using var backend = await TestBackend.StartAsync();
        await using var gateway = await GatewayHost.StartAsync(catalog: null, untilReady: false, settings:
        [
            ("services:catalog:http:0", admin.BaseAddress!.ToString()), ("services:orders:http:0", backend.Address.ToString()),
            ("OpenPlatform:ServiceToken", CatalogServer.ServiceToken), ("OpenPlatform:KeyPepper", CatalogServer.Pepper), ("OpenPlatform:EnvelopeKey", CatalogServer.EnvelopeKey),
        ]);

        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var organization = await admin.CreateAsync("organizations", new { name = "Peers Ltd." });
        var application = (await admin.CreateAsync("applications", new { organizationId = organization.Id(), name = "peer" })).Id();
        var secret = await admin.CreateAsync("credentials", new { applicationId = application, type = "client-secret" });
        await admin.CreateAsync("credentials", new { applicationId = application, type = "client-key", publicKey = key.ExportSubjectPublicKeyInfoPem() });
        var plan = await admin.CreateAsync("plans", new { name = "peers", schemes = new[] { CredentialSchemes.Jwt }, scopes = new[] { "orders:read", "orders:write" } });
        var version = JsonNode.Parse(await admin.GetStringAsync("/admin/v1/apis", Stop))!["items"]!.AsArray().Single(api => api!["name"]!.GetValue<string>() == "orders")!["versions"]![0]!.Id();
        await admin.CreateAsync("subscriptions", new { applicationId = application, versionId = version, planId = plan.Id() });
        await Eventually.TrueAsync(() => gateway.Snapshot.Current is { Identity: not null } snapshot && snapshot.Identity.Issuers.Count == 1);

        var result = await RunAsync(new
        {
            issuer, audience = "urn:openplatform:apis", clientId = application, secret = secret["secret"]!.GetValue<string>(), pkcs8 = key.ExportPkcs8PrivateKeyPem(),
            api = new Uri(gateway.ClientOptions.BaseAddress, "/orders/v1/orders"), rotation = new Uri(admin.BaseAddress!, "/admin/v1/token-keys:rotate"), admin = CatalogServer.AdminToken,
        });

        Assert.Equal(issuer + "/oauth/token", result["discovered"]!.GetValue<string>());
        foreach (var way in new[] { "client_secret_basic", "client_secret_post", "private_key_jwt" })
        {
            var answer = result[way]!;
            Assert.Equal(("orders:read", application, true, 200),
                (answer["scope"]!.GetValue<string>(), answer["subject"]!.GetValue<string>(), answer["active"]!.GetValue<bool>(), answer["status"]!.GetValue<int>()));
        }

        Assert.Equal((false, 401), (result["afterRevocation"]!.GetValue<bool>(), result["refused"]!.GetValue<int>()));

        // The next key was published before it signed, and tokens of both count; when one leaked, nothing of the others does.
        Assert.Equal("""{"publishedBefore":true,"statuses":[200,200]}""", result["next"]!.ToJsonString());
        Assert.Equal("""{"published":1,"differs":true,"refusals":["ERR_JWKS_NO_MATCHING_KEY","ERR_JWKS_NO_MATCHING_KEY",null]}""", result["atOnce"]!.ToJsonString());
    }

    private static async Task<JsonNode> RunAsync(object input)
    {
        var folder = Directory.CreateTempSubdirectory("openplatform-oauth-");
        try
        {
            foreach (var file in new[] { "package.json", "oauth.mjs" })
            {
                File.Copy(Path.Combine(Repository.Root, "OpenPlatform.Tests", "Catalog", "Peers", file), Path.Combine(folder.FullName, file));
            }

            await RunAsync(folder, "npm", null, "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts");
            return JsonNode.Parse(await RunAsync(folder, "node", JsonSerializer.Serialize(input), "oauth.mjs"))!;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task<string> RunAsync(DirectoryInfo folder, string program, string? input, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = folder.FullName, UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["CASE"] = input;
        using var process = Process.Start(start)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(Stop), process.StandardError.ReadToEndAsync(Stop));
        await process.WaitForExitAsync(Stop).WaitAsync(TimeSpan.FromMinutes(2), Stop);
        Assert.True(process.ExitCode == 0, $"{program}: {await error}");
        return await output;
    }
}
