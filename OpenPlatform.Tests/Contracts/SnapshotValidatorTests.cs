using System.Text.Json.Nodes;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Tests.Contracts;

/// <summary>Each rule broken once in an otherwise right snapshot: exactly the broken place is named.</summary>
public sealed class SnapshotValidatorTests
{
    public static TheoryData<string, string, string> Rules() => new()
    {
        // what is set, to what JSON, and where the problem is
        { "/revision", "-1", "/revision" },
        { "/apis/0", "null", "/apis/0" },
        { "/apis/0/operations/1", "null", "/apis/0/operations/1" },
        { "/backends/0/addresses/0", "null", "/backends/0/addresses/0" },
        { "/plans/0/rateLimits/0", "null", "/plans/0/rateLimits/0" },
        { "/credentials/0", "null", "/credentials/0" },
        { "/apis/0/name", "\"Orders\"", "/apis/0/name" },
        { "/apis/0/name", "\"orders\\n\"", "/apis/0/name" },
        { "/apis/0/version", "\"V 1\"", "/apis/0/version" },
        { "/apis/1/apiId", $"\"{TestSnapshots.Id(1)}\"", "/apis/1/version" },
        { "/apis/0/basePath", "\"/orders/v1/\"", "/apis/0/basePath" },
        { "/apis/0/basePath", "\"/orders/../admin\"", "/apis/0/basePath" },
        { "/apis/0/basePath", "\"\"", "/apis/0/basePath" },
        { "/apis/1/basePath", "\"/ORDERS/v1\"", "/apis/1/basePath" },
        { "/apis/0/backendId", $"\"{TestSnapshots.Id(99)}\"", "/apis/0/backendId" },
        { "/apis/1/versionId", $"\"{TestSnapshots.Id(2)}\"", "/apis/1/versionId" },
        { "/apis/0/operations/0/operationId", "\"\"", "/apis/0/operations/0/operationId" },
        { "/apis/0/operations/1/operationId", "\"listOrders\"", "/apis/0/operations/1/operationId" },
        { "/apis/0/operations/0/method", "\"TRACE\"", "/apis/0/operations/0/method" },
        { "/apis/0/operations/0/method", "\"get\"", "/apis/0/operations/0/method" },
        { "/apis/0/operations/0/pathTemplate", "\"orders\"", "/apis/0/operations/0/pathTemplate" },
        { "/apis/0/operations/0/pathTemplate", "\"/orders/{id}.json\"", "/apis/0/operations/0/pathTemplate" },
        { "/apis/0/operations/0/pathTemplate", "\"/orders/{other}\"", "/apis/0/operations/1/pathTemplate" },
        { "/apis/0/lifecycle", """{"state":"retired","deprecatedAt":"2026-01-01T00:00:00Z","sunsetAt":"2026-01-01T00:00:00Z","successor":"https://api.example/orders/v2?a=b","documentation":"https://docs.example/"}""", "" },
        { "/apis/0/lifecycle", """{"state":"retired"}""", "" },
        { "/apis/0/lifecycle", """{"state":"draft"}""", "/apis/0/lifecycle/state" },
        { "/apis/0/lifecycle", """{"state":"deprecated"}""", "/apis/0/lifecycle/deprecatedAt" },
        { "/apis/0/lifecycle", """{"state":"published","successor":"/orders/v2"}""", "/apis/0/lifecycle/successor" },
        { "/apis/0/lifecycle", """{"state":"deprecated","deprecatedAt":"2026-01-02T00:00:00Z","sunsetAt":"2026-01-01T00:00:00Z"}""", "/apis/0/lifecycle/sunsetAt" },
        { "/apis/0/lifecycle", """{"state":"retired","successor":"orders/v2"}""", "/apis/0/lifecycle/successor" },
        { "/apis/0/lifecycle", """{"state":"retired","successor":"/Orders/v1"}""", "/apis/0/lifecycle/successor" },
        { "/apis/0/lifecycle", """{"state":"retired","successor":"https://a.example/>; rel=\"x\""}""", "/apis/0/lifecycle/successor" },
        { "/apis/0/lifecycle", """{"state":"retired","documentation":"http://docs.example/"}""", "/apis/0/lifecycle/documentation" },
        { "/apis/0/blocked", """{"reason":""}""", "/apis/0/blocked/reason" },
        { "/apis/0/blocked", """{"reason":"a\u0007"}""", "/apis/0/blocked/reason" },
        { "/apis/0/blocked", """{"reason":"fraud","until":"2026-01-02T00:00:00Z"}""", "" },
        { "/apis/0/policies", """{"scopes":["a b"]}""", "/apis/0/policies/scopes/0" },
        { "/apis/0/operations/0/policies", """{"scopes":["a","a"]}""", "/apis/0/operations/0/policies/scopes/1" },
        { "/plans/0/scopes", """["orders:read",null]""", "/plans/0/scopes/1" },
        { "/plans/0/scopes", """["orders:read","https://example.com/scope"]""", "" },
        { "/apis/0/operations/0/policies", """{"mock":true}""", "/apis/0/operations/0/policies/mock" },
        { "/apis/0/operations/0/policies", """{"mock":true,"example":{"status":204}}""", "" },
        { "/apis/0/operations/0/policies", """{"example":{"status":199}}""", "/apis/0/operations/0/policies/example/status" },
        { "/apis/0/operations/0/policies", """{"example":{"status":204,"contentType":"text/plain","body":"x"}}""", "/apis/0/operations/0/policies/example/body" },
        { "/apis/0/operations/0/policies", """{"example":{"status":200,"body":"x"}}""", "/apis/0/operations/0/policies/example/contentType" },
        { "/apis/0/operations/0/policies", """{"example":{"status":200,"contentType":"text/plain"}}""", "/apis/0/operations/0/policies/example/contentType" },
        { "/backends/0/service", "null", "" },
        { "/backends/1/addresses", "[]", "/backends/1" },
        { "/backends/0/service", "\"Orders!\"", "/backends/0/service" },
        { "/backends/0/addresses/0", "\"ftp://host\"", "/backends/0/addresses/0" },
        { "/backends/0/addresses/0", "\"http://host/path\"", "/backends/0/addresses/0" },
        { "/backends/0/addresses/0", "\"http://user@host\"", "/backends/0/addresses/0" },
        { "/backends/0/addresses/0", "\"host\"", "/backends/0/addresses/0" },
        { "/backends/2/backendId", $"\"{Guid.Empty}\"", "/backends/2/backendId" },
        { "/plans/0/rateLimits/0/requests", "0", "/plans/0/rateLimits/0/requests" },
        { "/plans/0/rateLimits/0/requests", "1000000001", "/plans/0/rateLimits/0/requests" },
        { "/plans/0/rateLimits/0/windowSeconds", "0", "/plans/0/rateLimits/0/windowSeconds" },
        { "/plans/0/rateLimits/0/windowSeconds", "2678401", "/plans/0/rateLimits/0/windowSeconds" },
        { "/applications/2/applicationId", $"\"{TestSnapshots.Id(7)}\"", "/applications/2/applicationId" },
        { "/credentials/0/applicationId", $"\"{TestSnapshots.Id(99)}\"", "/credentials/0/applicationId" },
        { "/credentials/0/hash", "\"AAAA\"", "/credentials/0/hash" },
        { "/credentials/1/hash", $"\"{Convert.ToBase64String(TestSnapshots.Hash(1))}\"", "/credentials/1/hash" },
        { "/credentials/1/credentialId", $"\"{TestSnapshots.Id(9)}\"", "/credentials/1/credentialId" },
        { "/subscriptions/0/applicationId", $"\"{TestSnapshots.Id(99)}\"", "/subscriptions/0/applicationId" },
        { "/subscriptions/0/versionId", $"\"{TestSnapshots.Id(99)}\"", "/subscriptions/0/versionId" },
        { "/subscriptions/0/planId", $"\"{TestSnapshots.Id(99)}\"", "/subscriptions/0/planId" },
        { "/subscriptions/1/applicationId", $"\"{TestSnapshots.Id(7)}\"", "/subscriptions/1" },
        { "/subscriptions/1/subscriptionId", $"\"{TestSnapshots.Id(11)}\"", "/subscriptions/1/subscriptionId" },
    };

    [Fact]
    public void An_empty_snapshot_is_valid() => Assert.Empty(SnapshotValidator.Validate(Snapshot.Empty));

    [Fact]
    public void A_right_snapshot_has_no_problem() => Assert.Empty(SnapshotValidator.Validate(TestSnapshots.Right()));

    [Theory]
    [MemberData(nameof(Rules))]
    public void A_broken_rule_is_named_where_it_is_broken(string set, string json, string problemAt)
    {
        var snapshot = TestSnapshots.With(set, JsonNode.Parse(json));

        var problems = SnapshotValidator.Validate(snapshot);

        if (problemAt.Length == 0)
        {
            Assert.Empty(problems);
        }
        else
        {
            Assert.Equal([problemAt], problems.Select(problem => problem.Pointer));
        }
    }

    [Fact]
    public void All_problems_are_named_at_once()
    {
        var snapshot = TestSnapshots.Right();
        var broken = snapshot with
        {
            Revision = -1,
            Plans = [snapshot.Plans[0] with { RateLimits = [new(0, 0)] }],
            Apis = [snapshot.Apis[0] with { Name = "?", BasePath = "?" }, snapshot.Apis[1]],
        };

        Assert.Equal(
            ["/apis/0/basePath", "/apis/0/name", "/plans/0/rateLimits/0/requests", "/plans/0/rateLimits/0/windowSeconds", "/revision"],
            SnapshotValidator.Validate(broken).Select(problem => problem.Pointer).Order());
    }
}
