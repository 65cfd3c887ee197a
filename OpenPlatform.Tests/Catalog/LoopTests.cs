using System.Net;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Tests.Catalog;

public sealed class LoopTests(CatalogFixture fixture) : IClassFixture<CatalogFixture>
{
    [Fact]
    public async Task From_publish_to_approved_subscription_everything_a_gateway_needs_is_in_the_snapshot()
    {
        using var admin = fixture.Catalog.Operator();
        var backend = await admin.CreateAsync("backends", new { name = "loop", service = "loop" });
        var api = await admin.CreateAsync("apis", new
        {
            name = "loop", version = "v1", basePath = "/loop/v1", backendId = backend.Id(),
            operations = new[] { new { operationId = "list", method = "GET", pathTemplate = "/things" } },
        });
        var versionId = api["versions"]![0]!.Id();
        var plan = await admin.CreateAsync("plans", new { name = "loop", approvalRequired = true, rateLimits = new[] { new { requests = 10, windowSeconds = 60 } } });
        var organization = await admin.CreateAsync("organizations", new { name = "Loop Ltd." });
        var application = await admin.CreateAsync("applications", new { organizationId = organization.Id(), name = "caller" });
        var credential = await admin.CreateAsync("credentials", new { applicationId = application.Id() });
        var subscription = await admin.CreateAsync("subscriptions", new { applicationId = application.Id(), versionId, planId = plan.Id() });
        Assert.Equal("pending", subscription["state"]!.GetValue<string>());

        var before = await fixture.Catalog.SnapshotAsync();
        Assert.DoesNotContain(before.Subscriptions, right => right.SubscriptionId.ToString() == subscription.Id());
        using var approved = await admin.ActAsync($"subscriptions/{subscription.Id()}:approve", "\"1\"");
        Assert.Equal(HttpStatusCode.OK, approved.StatusCode);
        Assert.Equal("\"2\"", approved.Headers.ETag?.Tag);

        var after = await fixture.Catalog.SnapshotAsync();
        Assert.Equal(before.Revision + 1, after.Revision);
        Assert.Empty(SnapshotValidator.Validate(after));
        var right = Assert.Single(after.Subscriptions, right => right.SubscriptionId.ToString() == subscription.Id());
        Assert.Equal((application.Id(), versionId, plan.Id()), (right.ApplicationId.ToString(), right.VersionId.ToString(), right.PlanId.ToString()));
        var published = Assert.Single(after.Apis, model => model.Name == "loop");
        Assert.Equal(("v1", 1, "/loop/v1"), (published.Version, published.Revision, published.BasePath));
        Assert.Equal([new OperationModel("list", "GET", "/things")], published.Operations);
        Assert.Equal([new RateLimitModel(10, 60)], Assert.Single(after.Plans, model => model.Name == "loop").RateLimits);

        var hash = new byte[KeyHash.Size];
        Assert.True(KeyHash.TryCompute(System.Text.Encoding.UTF8.GetBytes(CatalogServer.Pepper), credential["key"]!.GetValue<string>(), hash));
        var stored = Assert.Single(after.Credentials, model => model.CredentialId.ToString() == credential.Id());
        Assert.True(stored.Hash.Span.SequenceEqual(hash));
        Assert.Equal(application.Id(), stored.ApplicationId.ToString());
    }
}
