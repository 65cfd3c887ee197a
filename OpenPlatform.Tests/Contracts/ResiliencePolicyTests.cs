using System.Text.Json.Nodes;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Tests.Contracts;

/// <summary>Policies of resilience, degradation and splits: exactly the broken member is named.</summary>
public sealed class ResiliencePolicyTests
{
    private static readonly string Variant = $$"""{"name":"canary","backendId":"{{TestSnapshots.Id(99)}}"}""";

    public static TheoryData<string, string> Rules() => new()
    {
        // the policies of the first API, and where in them the problem is
        { """{"timeouts":{"connectMilliseconds":9}}""", "/timeouts/connectMilliseconds" },
        { """{"timeouts":{"firstByteMilliseconds":3600001}}""", "/timeouts/firstByteMilliseconds" },
        { """{"timeouts":{"idleMilliseconds":0}}""", "/timeouts/idleMilliseconds" },
        { """{"timeouts":{"totalMilliseconds":-1}}""", "/timeouts/totalMilliseconds" },
        { """{"retry":{"retries":3}}""", "/retry/retries" },
        { """{"retry":{"statuses":[503,500]}}""", "/retry/statuses/1" },
        { """{"retry":{"maxBodyBytes":1048577}}""", "/retry/maxBodyBytes" },
        { """{"breaker":{"failurePercent":0}}""", "/breaker/failurePercent" },
        { """{"breaker":{"minimumRequests":0}}""", "/breaker/minimumRequests" },
        { """{"breaker":{"windowSeconds":601}}""", "/breaker/windowSeconds" },
        { """{"breaker":{"openSeconds":0}}""", "/breaker/openSeconds" },
        { """{"bulkhead":{"maxConcurrent":0}}""", "/bulkhead/maxConcurrent" },
        { """{"bulkhead":{"maxConcurrentPerApplication":0}}""", "/bulkhead/maxConcurrentPerApplication" },
        { """{"cache":{"maxStaleSeconds":-1}}""", "/cache/maxStaleSeconds" },
        { """{"cache":{"maxAnswerBytes":0}}""", "/cache/maxAnswerBytes" },
        { $$$"""{"degradation":{"alternateBackendId":"{{{TestSnapshots.Id(99)}}}"}}""", "/degradation/alternateBackendId" },
        { """{"degradation":{"static":{"status":204,"contentType":"text/plain","body":""}}}""", "/degradation/static/status" },
        { """{"degradation":{"static":{"status":200,"contentType":"text/plain\r\nX: y","body":""}}}""", "/degradation/static/contentType" },
        { """{"split":{"variants":[]}}""", "/split/variants" },
        { """{"split":{"variants":[null]}}""", "/split/variants/0" },
        { $$$"""{"split":{"variants":[{{{Variant}}}]}}""", "/split/variants/0/backendId" },
        { $$$"""{"split":{"variants":[{{{Known("default")}}}]}}""", "/split/variants/0/name" },
        { $$$"""{"split":{"variants":[{{{Known("a", ",\"weightPercent\":60")}}},{{{Known("b", ",\"weightPercent\":41")}}}]}}""", "/split/variants/1/weightPercent" },
        { $$$"""{"split":{"variants":[{{{Known("a", ",\"header\":{\"name\":\"a b\",\"value\":\"x\"}")}}}]}}""", "/split/variants/0/header/name" },
        { $$$"""{"split":{"variants":[{{{Known("a", $",\"applications\":[\"{TestSnapshots.Id(99)}\"]")}}}]}}""", "/split/variants/0/applications/0" },
        { $$$"""{"split":{"variants":[{{{Known("a")}}}],"stickyHeader":"a:"}}""", "/split/stickyHeader" },
    };

    [Theory]
    [MemberData(nameof(Rules))]
    public void A_broken_policy_is_named(string policies, string pointer)
    {
        var problems = SnapshotValidator.Validate(WithPolicies(policies));
        Assert.Equal(["/apis/0/policies" + pointer], problems.Select(static p => p.Pointer));
    }

    [Fact]
    public void Policies_at_their_defaults_are_valid_and_survive_the_wire()
    {
        var snapshot = WithPolicies($$$"""{"timeouts":{},"retry":{},"breaker":{},"bulkhead":{},"cache":{},"degradation":{},"split":{"variants":[{{{Known("canary")}}}]}}""");
        Assert.Empty(SnapshotValidator.Validate(snapshot));
        var policies = snapshot.Apis[0].Policies!;
        Assert.Equal(new BreakerPolicy(), policies.Breaker);
        Assert.Equal(64 << 10, policies.Retry!.MaxBodyBytes);
        Assert.True(policies.Degradation!.Stale);
    }

    [Fact]
    public void A_priority_outside_0_to_9_and_a_timeout_of_an_operation_are_named()
    {
        var snapshot = WithPolicies("{}");
        snapshot = snapshot with
        {
            Plans = [snapshot.Plans[0] with { Priority = 10 }, .. snapshot.Plans.Skip(1)],
            Apis =
            [
                snapshot.Apis[0] with
                {
                    Operations = [snapshot.Apis[0].Operations[0] with { Policies = new() { Timeouts = new(TotalMilliseconds: 1) } }, .. snapshot.Apis[0].Operations.Skip(1)],
                },
                .. snapshot.Apis.Skip(1),
            ],
        };
        Assert.Equal(["/apis/0/operations/0/policies/timeouts/totalMilliseconds", "/plans/0/priority"],
            SnapshotValidator.Validate(snapshot).Select(static p => p.Pointer));
    }

    private static string Known(string name, string more = "") =>
        $$"""{"name":"{{name}}","backendId":"{{TestSnapshots.Id(4)}}"{{more}}}""";

    private static Snapshot WithPolicies(string policies) => TestSnapshots.With("/apis/0/policies", JsonNode.Parse(policies));
}
