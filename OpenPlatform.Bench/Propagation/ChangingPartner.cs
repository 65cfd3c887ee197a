namespace OpenPlatform.Bench.Propagation;

/// <summary>
/// Changes of every kind that the platform makes all day, ten in turn, at something that the load does not call: a plan is offered, a key issued and later revoked, an application
/// suspended and resumed, a version subscribed and the subscription cancelled, a revision published.
/// </summary>
internal sealed class ChangingPartner(Platform platform, Guid application, Guid api, Guid version, Guid plan)
{
    private int _next;
    private Guid _credential;
    private Guid _subscription;

    public async Task ChangeAsync()
    {
        var turn = _next++;
        switch (turn % 10)
        {
            case 0 or 5:
                await platform.PostAsync("plans", new { name = $"plan-{Guid.NewGuid():N}", approvalRequired = false, rateLimits = new[] { new { requests = 1, windowSeconds = 1 } } });
                break;
            case 1:
                _credential = Platform.Id(await platform.PostAsync("credentials", new { applicationId = application }));
                break;
            case 6:
                await platform.PostAsync($"credentials/{_credential}:revoke", null, change: true);
                break;
            case 2 or 7:
                await platform.PostAsync($"applications/{application}:{(turn % 10 == 2 ? "suspend" : "resume")}", null, change: true);
                break;
            case 3:
                _subscription = Platform.Id(await platform.PostAsync("subscriptions", new { applicationId = application, versionId = version, planId = plan }));
                break;
            case 8:
                await platform.PostAsync($"subscriptions/{_subscription}:cancel", null, change: true);
                break;
            default:
                await platform.PostAsync($"apis/{api}/versions/{version}/revisions", new { backendId = platform.BackendId, operations = Platform.Operations(100, cost: 2 + (turn / 5 % 2)) }, change: true);
                break;
        }
    }
}
