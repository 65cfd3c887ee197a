using System.Text.Json;
using System.Text.Json.Nodes;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Tests.Contracts;

public sealed class IdentityAndProtectionValidatorTests
{
    private const string Policies = "/apis/0/policies";

    [Theory]
    [InlineData(Policies, """{"cors":{"origins":[]}}""", "/cors/origins")]
    [InlineData(Policies, """{"cors":{"origins":["https://app.example/"]}}""", "/cors/origins/0")]
    [InlineData(Policies, """{"cors":{"origins":["https://App.example"]}}""", "/cors/origins/0")]
    [InlineData(Policies, """{"cors":{"origins":["*"],"allowCredentials":true}}""", "/cors/origins/0")]
    [InlineData(Policies, """{"cors":{"origins":["*"],"headers":["a b"]}}""", "/cors/headers/0")]
    [InlineData(Policies, """{"cors":{"origins":["*"],"maxAgeSeconds":-1}}""", "/cors/maxAgeSeconds")]
    [InlineData(Policies, """{"addresses":{"allow":["10.0.0.1/8"]}}""", "/addresses/allow/0")]
    [InlineData(Policies, """{"addresses":{"deny":["example"]}}""", "/addresses/deny/0")]
    [InlineData(Policies, """{"body":{"maxBytes":0}}""", "/body/maxBytes")]
    [InlineData(Policies, """{"body":{"mediaTypes":["json"]}}""", "/body/mediaTypes/0")]
    [InlineData(Policies, """{"headers":{"request":{"set":{"X-Api-Key":"x"}}}}""", "/headers/request/set/X-Api-Key")]
    [InlineData(Policies, """{"headers":{"request":{"remove":["authorization"]}}}""", "/headers/request/remove/0")]
    [InlineData(Policies, """{"headers":{"response":{"add":{"X-Forwarded-For":"x"}}}}""", "/headers/response/add/X-Forwarded-For")]
    [InlineData(Policies, """{"headers":{"response":{"set":{"X-A":"a\r\nX-B: b"}}}}""", "/headers/response/set/X-A")]
    [InlineData(Policies, """{"securityHeaders":{"referrerPolicy":"a\n"}}""", "/securityHeaders/referrerPolicy")]
    [InlineData(Policies, """{"schemas":{"A":{"multipleOf":2}}}""", "/schemas/A/multipleOf")]
    [InlineData("/apis/0/operations/0/policies", """{"requestSchema":{"type":"object","properties":{"a":{"if":{}}}}}""", "/requestSchema/properties/a/if")]
    [InlineData("/applications/0/addresses", """{"allow":["x"]}""", "/allow/0")]
    [InlineData("/plans/0/schemes", "[]", "")]
    [InlineData("/plans/0/schemes", """["password"]""", "/0")]
    [InlineData("/plans/0/replayCheck", "true", "")]
    [InlineData("/signingKeys", """[{"credentialId":"00000000-0000-0000-0000-000000000001","applicationId":"00000000-0000-0000-0000-000000000000","keyId":"k","algorithm":"ed25519","key":""}]""", "/0/applicationId")]
    [InlineData("/signingKeys", """[null]""", "/0")]
    [InlineData("/certificates", """[{"credentialId":"00000000-0000-0000-0000-000000000000","applicationId":"00000000-0000-0000-0000-000000000000","thumbprint":""}]""", "/0/credentialId")]
    [InlineData("/issuers", """[{"issuer":"i","audience":"a","algorithms":["HS256"],"jwksUri":"https://issuer.example/"}]""", "/0/algorithms")]
    [InlineData("/issuers", """[{"issuer":"i","audience":"a","algorithms":["ES256"],"jwksUri":"http://issuer.example/"}]""", "/0/jwksUri")]
    [InlineData("/issuers", """[{"issuer":"i","audience":"a","algorithms":["ES256"]}]""", "/0/jwksUri")]
    [InlineData("/issuers", """[{"issuer":"i","audience":"a","algorithms":["ES256"],"keys":[{"kid":"k","kty":"oct"}]}]""", "/0/keys/0")]
    public void What_is_wrong_is_told_with_its_place(string at, string json, string pointer)
    {
        var problems = SnapshotValidator.Validate(TestSnapshots.With(at, JsonNode.Parse(json)));
        Assert.Contains(problems, p => p.Pointer == at + pointer);
    }

    [Fact]
    public void A_snapshot_with_everything_is_right_and_comes_back_as_it_was()
    {
        var snapshot = TestSnapshots.With(Policies, JsonNode.Parse(
            """
            {"cors":{"origins":["https://app.example","https://*.shop.example:8443","http://[::1]:3000"],"headers":["X-A"],"exposedHeaders":["X-B"],"allowCredentials":true,"maxAgeSeconds":5},
             "addresses":{"allow":["10.0.0.0/8","2001:db8::/32","192.0.2.1"],"deny":["10.1.0.0/16"]},"body":{"maxBytes":1000,"mediaTypes":["application/json","image/*"],"required":true},
             "headers":{"request":{"remove":["X-C"],"set":{"X-D":"d"},"add":{"X-E":"e"}},"response":{}},"securityHeaders":{},"schemas":{"A":{"type":"object","properties":{"next":{"$ref":"#/components/schemas/A"}}}}}
            """));
        Assert.Empty(SnapshotValidator.Validate(snapshot));
        var bytes = JsonSerializer.SerializeToUtf8Bytes(snapshot, SnapshotJson.Default.Snapshot);
        Assert.Equal(bytes, JsonSerializer.SerializeToUtf8Bytes(JsonSerializer.Deserialize(bytes, SnapshotJson.Default.Snapshot)!, SnapshotJson.Default.Snapshot));
    }

    [Fact]
    public void An_envelope_opens_with_its_key_for_its_credential_only()
    {
        using var envelope = new SecretEnvelope(new byte[32]);
        using var other = new SecretEnvelope([.. Enumerable.Repeat((byte)1, 32)]);
        var id = Guid.NewGuid();
        var closed = envelope.Seal(id, "secret"u8);
        Assert.Equal("secret"u8.ToArray(), envelope.Open(id, closed));
        Assert.Null(envelope.Open(Guid.NewGuid(), closed));
        Assert.Null(other.Open(id, closed));
        for (var i = 0; i < closed.Length; i++)
        {
            closed[i] ^= 1;
            Assert.Null(envelope.Open(id, closed));
            closed[i] ^= 1;
        }

        Assert.NotEqual(closed, envelope.Seal(id, "secret"u8));
        Assert.Throws<FormatException>(() => SecretEnvelope.FromBase64("c2hvcnQ="));
    }
}
