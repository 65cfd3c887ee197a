using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using OpenPlatform.Cli;
using OpenPlatform.Cli.Signing;
using OpenPlatform.Tests.Gateway.Authentication;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Cli;

public sealed partial class SigningTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public void The_vectors_of_the_signing_guide_come_out()
    {
        var guide = File.ReadAllText(Path.Combine(Repository.Root, "docs", "signing.md"));
        var vectors = JsonElement.Parse(JsonBlock().Match(guide).Groups["code"].Value);
        Assert.True(vectors.GetArrayLength() >= 4);
        foreach (var vector in vectors.EnumerateArray())
        {
            string Text(string name) => vector.GetProperty(name).GetString()!;
            var headers = vector.TryGetProperty("headers", out var given) ? given.EnumerateObject().Select(static h => $"{h.Name}: {h.Value.GetString()}") : [];
            var body = vector.TryGetProperty("body", out var text) ? Encoding.UTF8.GetBytes(text.GetString()!) : null;
            Assert.True(Uri.TryCreate("http://localhost" + Text("target"), new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }, out var url));
            var signed = HmacSigner.Sign(RequestToSign.Of(Text("method"), url, headers, body), Text("keyId"), Text("secret"), vector.GetProperty("timestamp").GetInt64(), Text("nonce"));
            Assert.Equal(Text("signature"), signed.Single(static h => h.Name == "X-App-Signature").Value);
        }
    }

    [Theory]
    [InlineData(Signing.HmacKeyId)]
    [InlineData(Signing.EcKeyId)]
    [InlineData(Signing.RsaKeyId)]
    public async Task A_message_signature_passes_a_real_gateway_once(string keyId)
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(Signing.Snapshot(backend.Address));
        await using var gateway = await GatewayHost.StartAsync(catalog, settings: [Signing.Setting]);
        using var client = gateway.Client(key: null);
        var url = new Uri(client.BaseAddress!, "/orders/v1/orders?b=2&a=1");
        var body = "{}"u8.ToArray();
        var key = SigningKey.Of(keyId switch
        {
            Signing.EcKeyId => Signing.Ec.ExportPkcs8PrivateKeyPem(),
            Signing.RsaKeyId => Signing.Rsa.ExportPkcs8PrivateKeyPem(),
            _ => Signing.Secret,
        });
        var signed = MessageSigner.Sign(RequestToSign.Of("post", url, ["X-Tenant: blue, green"], body), keyId, key, DateTimeOffset.UtcNow.ToUnixTimeSeconds(), Signing.Nonce());

        Assert.Equal(HttpStatusCode.OK, await SendAsync());
        Assert.Equal(HttpStatusCode.Unauthorized, await SendAsync());

        async Task<HttpStatusCode> SendAsync()
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = new ByteArrayContent(body) };
            foreach (var (name, value) in signed)
            {
                Assert.True(request.Headers.TryAddWithoutValidation(name, value) || request.Content.Headers.TryAddWithoutValidation(name, value));
            }

            using var response = await client.SendAsync(request, Stop);
            return response.StatusCode;
        }
    }

    [Theory]
    [InlineData("-----BEGIN PRIVATE KEY-----\nbm8ga2V5\n-----END PRIVATE KEY-----\n")]
    [InlineData("-----BEGIN ENCRYPTED PRIVATE KEY-----\nbm8ga2V5\n-----END ENCRYPTED PRIVATE KEY-----\n")]
    public void A_key_file_that_is_none_is_a_usage_error(string pem) =>
        Assert.Equal(ExitCode.Usage, Assert.Throws<CommandFailure>(() => SigningKey.Of(pem)).Code);

    [GeneratedRegex(@"```json\n(?<code>\[.*?\])\n```", RegexOptions.ExplicitCapture | RegexOptions.Singleline, matchTimeoutMilliseconds: 1000)]
    private static partial Regex JsonBlock();
}
