using System.Diagnostics;
using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Authentication;

/// <summary>docs/signing.md and programs that nobody here wrote: what a partner does, through a real gateway.</summary>
public sealed partial class PeerTests : IAsyncLifetime
{
    private readonly ManualTime _time = new();
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("openplatform-peers-");
    private TestBackend _backend = null!;
    private TestCatalog _catalog = null!;
    private GatewayHost _gateway = null!;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private static string Guide => File.ReadAllText(Path.Combine(Repository.Root, "docs", "signing.md"));

    private static JsonElement Vectors => JsonElement.Parse(JsonBlock().Match(Guide).Groups["code"].Value);

    public async ValueTask InitializeAsync()
    {
        _backend = await TestBackend.StartAsync();
        _catalog = await TestCatalog.StartAsync(Signing.Snapshot(_backend.Address));
        _gateway = await GatewayHost.StartAsync(_catalog, _time, settings: [Signing.Setting]);
    }

    public async ValueTask DisposeAsync()
    {
        await _gateway.DisposeAsync();
        await _catalog.DisposeAsync();
        await _backend.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task The_vectors_of_the_signing_guide_are_accepted_once()
    {
        Assert.True(Vectors.GetArrayLength() >= 4);
        using var client = _gateway.Client(key: null);
        foreach (var vector in Vectors.EnumerateArray())
        {
            string? Text(string name) => vector.TryGetProperty(name, out var value) ? value.GetString() : null;
            foreach (var status in new[] { HttpStatusCode.OK, HttpStatusCode.Unauthorized })
            {
                using var request = new HttpRequestMessage(new(Text("method")!), Text("target"));
                request.Headers.Add("X-App-Key", Text("keyId"));
                request.Headers.Add("X-App-Timestamp", vector.GetProperty("timestamp").GetRawText());
                request.Headers.Add("X-App-Nonce", Text("nonce"));
                request.Headers.Add("X-App-Signature", Text("signature"));
                if (vector.TryGetProperty("headers", out var headers))
                {
                    request.Headers.Add("X-App-Signed-Headers", string.Join(';', headers.EnumerateObject().Select(static h => h.Name).Order(StringComparer.Ordinal)));
                    foreach (var header in headers.EnumerateObject())
                    {
                        request.Headers.TryAddWithoutValidation(header.Name, header.Value.GetString());
                    }
                }

                if (Text("body") is { } body)
                {
                    request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
                    request.Content.Headers.Add("Content-Digest", Text("contentDigest"));
                }

                using var response = await client.SendAsync(request, Stop);
                Assert.True(response.StatusCode == status, $"{Text("name")}: {await response.Content.ReadAsStringAsync(Stop)}");
            }
        }
    }

    [Fact]
    public async Task The_signer_of_the_signing_guide_passes_under_node()
    {
        await File.WriteAllTextAsync(Path.Combine(_folder.FullName, "sign.mjs"), JavaScriptBlock().Match(Guide).Groups["code"].Value, Stop);
        var answers = await NodeAsync("hmac.mjs", new { address = Address(), vectors = Vectors });
        Assert.Equal(Enumerable.Repeat(new[] { 200, 401 }, Vectors.GetArrayLength()).SelectMany(static pair => pair), answers.Deserialize<int[]>());
    }

    [Fact]
    public async Task Message_signatures_of_another_library_pass()
    {
        await InstallAsync();
        var answers = await NodeAsync("signature.mjs", new
        {
            address = Address(), path = "/orders/v1/orders?b=2&a=%20x", created = _time.GetUtcNow().ToUnixTimeSeconds(),
            keys = new[]
            {
                new { id = Signing.EcKeyId, algorithm = SigningAlgorithms.EcdsaP256, key = Signing.Ec.ExportPkcs8PrivateKeyPem() },
                new { id = Signing.RsaKeyId, algorithm = SigningAlgorithms.RsaPss, key = Signing.Rsa.ExportPkcs8PrivateKeyPem() },
                new { id = Signing.HmacKeyId, algorithm = SigningAlgorithms.Hmac, key = Signing.Secret },
            },
        });
        Assert.Equal(Enumerable.Repeat(200, 6), answers.Deserialize<int[]>());
    }

    [Fact]
    public async Task Access_tokens_of_another_library_pass()
    {
        const string Issuer = "https://issuer.example/", Audience = "https://api.example/";
        await InstallAsync();
        var issued = await NodeAsync("token.mjs", new { issuer = Issuer, audience = Audience, client = "partner", now = _time.GetUtcNow().ToUnixTimeSeconds() });
        await using var issuer = await StubServer.StartAsync(context => context.Response.WriteAsync(issued.GetProperty("jwks").GetString()!));
        var snapshot = TestSnapshot.Create([_backend.Address], revision: 2);
        _catalog.Publish(snapshot with
        {
            Plans = [snapshot.Plans[0] with { Schemes = [CredentialSchemes.Jwt] }],
            Issuers = [new(Issuer, Audience, ["ES256", "RS256", "PS256"], issuer.Address, Applications: new Dictionary<string, Guid>(StringComparer.Ordinal) { ["partner"] = TestSnapshot.Subscriber })],
        });
        await Eventually.TrueAsync(() => _gateway.Snapshot.Current!.Revision == 2);
        using var client = _gateway.Client(key: null);
        foreach (var token in issued.GetProperty("tokens").EnumerateArray())
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/orders/v1/orders") { Headers = { Authorization = new("Bearer", token.GetString()) } };
            using var response = await client.SendAsync(request, Stop);
            Assert.True(response.StatusCode == HttpStatusCode.OK, await response.Content.ReadAsStringAsync(Stop));
        }
    }

    private string Address() => _gateway.ClientOptions.BaseAddress.ToString().TrimEnd('/');

    private Task<string> InstallAsync()
    {
        File.Copy(Peer("package.json"), Path.Combine(_folder.FullName, "package.json"));
        return RunAsync("npm", null, "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts");
    }

    /// <summary>Runs a script of the folder Peers and reads the JSON that it prints.</summary>
    private async Task<JsonElement> NodeAsync(string script, object input)
    {
        File.Copy(Peer(script), Path.Combine(_folder.FullName, script));
        return JsonElement.Parse(await RunAsync("node", JsonSerializer.Serialize(input), script));
    }

    private async Task<string> RunAsync(string program, string? input, params string[] arguments)
    {
        var start = new ProcessStartInfo(Find(program), arguments) { WorkingDirectory = _folder.FullName, UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["CASE"] = input;
        using var process = Process.Start(start)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(Stop), process.StandardError.ReadToEndAsync(Stop));
        await process.WaitForExitAsync(Stop).WaitAsync(TimeSpan.FromMinutes(2), Stop);
        Assert.True(process.ExitCode == 0, $"{program}: {await error}");
        return await output;
    }

    private static string Find(string program)
    {
        var path = (Environment.GetEnvironmentVariable("PATH") ?? string.Empty).Split(Path.PathSeparator)
            .Select(folder => Path.Combine(folder, OperatingSystem.IsWindows() ? program + (program == "npm" ? ".cmd" : ".exe") : program)).FirstOrDefault(File.Exists);
        Assert.SkipWhen(path is null && Environment.GetEnvironmentVariable("CI") != "true", $"{program} is not on the PATH.");
        return path ?? throw new InvalidOperationException($"{program} is not on the PATH.");
    }

    private static string Peer(string file) => Path.Combine(Repository.Root, "OpenPlatform.Tests", "Gateway", "Authentication", "Peers", file);

    [GeneratedRegex("```json\n(?<code>.*?)```", RegexOptions.Singleline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex JsonBlock();

    [GeneratedRegex("```js\n(?<code>.*?)```", RegexOptions.Singleline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex JavaScriptBlock();
}
