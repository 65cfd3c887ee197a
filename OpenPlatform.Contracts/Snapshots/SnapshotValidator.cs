using System.Text.RegularExpressions;

namespace OpenPlatform.Contracts.Snapshots;

/// <summary>One thing wrong with a snapshot.</summary>
/// <param name="Pointer">JSON pointer (RFC 6901) to the offending member, for example <c>/apis/0/basePath</c>.</param>
/// <param name="Message">What is wrong and what would be right.</param>
public sealed record SnapshotProblem(string Pointer, string Message);

/// <summary>
/// Checks a whole snapshot and reports every problem, not only the first. The catalog runs it inside the write, so what a
/// gateway could refuse is refused there; the gateway runs it before it swaps.
/// </summary>
public static partial class SnapshotValidator
{
    private static readonly string[] Methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

    /// <summary>Every problem of <paramref name="snapshot"/>; empty when it can be served.</summary>
    public static IReadOnlyList<SnapshotProblem> Validate(Snapshot snapshot) => Validate(snapshot, Elsewhere.Nowhere);

    /// <summary>Every problem of a part of a snapshot, for example of one shard. That something is unique is checked within the part.</summary>
    /// <param name="elsewhere">What the part may refer to that is not in it.</param>
    public static IReadOnlyList<SnapshotProblem> Validate(Snapshot snapshot, Elsewhere elsewhere)
    {
        var problems = new List<SnapshotProblem>();
        void Problem(string pointer, string message) => problems.Add(new(pointer, message));

        FindNulls(snapshot, Problem);
        if (problems.Count > 0)
        {
            return problems; // what is not there cannot be looked at
        }

        if (snapshot.Revision < 0)
        {
            Problem("/revision", "must not be negative");
        }

        var backends = new KnownIds(Index(snapshot.Backends, static b => b.BackendId, "/backends", "backendId", Problem), elsewhere.Backends);
        var plans = new KnownIds(Index(snapshot.Plans, static p => p.PlanId, "/plans", "planId", Problem), elsewhere.Plans);
        var applications = new KnownIds(Index(snapshot.Applications, static a => a.ApplicationId, "/applications", "applicationId", Problem), elsewhere.Applications);
        var versions = new KnownIds(Index(snapshot.Apis, static a => a.VersionId, "/apis", "versionId", Problem), elsewhere.Versions);
        Index(snapshot.Credentials, static c => c.CredentialId, "/credentials", "credentialId", Problem);
        Index(snapshot.Subscriptions, static s => s.SubscriptionId, "/subscriptions", "subscriptionId", Problem);

        var labels = new HashSet<(Guid, string)>();
        var basePaths = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        for (var i = 0; i < snapshot.Apis.Count; i++)
        {
            var api = snapshot.Apis[i];
            if (!Name().IsMatch(api.Name))
            {
                Problem($"/apis/{i}/name", "must match [a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?");
            }

            if (!Version().IsMatch(api.Version))
            {
                Problem($"/apis/{i}/version", "must match [a-z0-9][a-z0-9.-]{0,31}, such as v1");
            }
            else if (!labels.Add((api.ApiId, api.Version)))
            {
                Problem($"/apis/{i}/version", $"is a version of this API already: {api.Version}");
            }

            if (!IsBasePath(api.BasePath))
            {
                Problem($"/apis/{i}/basePath", "must be one or more segments of letters, digits, '.', '_' or '-', such as /orders/v1, without a trailing slash");
            }
            else if (!basePaths.Add(api.BasePath))
            {
                Problem($"/apis/{i}/basePath", $"is already taken by another API version: {api.BasePath}");
            }

            if (!backends.Contains(api.BackendId))
            {
                Problem($"/apis/{i}/backendId", $"names no backend: {api.BackendId}");
            }

            if (api.Policies is { } policies)
            {
                LimitPolicyValidator.Validate(policies.Limits, $"/apis/{i}/policies/limits", Problem);
                ResiliencePolicyValidator.Validate(policies, $"/apis/{i}/policies", Problem);
                ScopeValidator.Validate(policies.Scopes, $"/apis/{i}/policies/scopes", Problem);
                SplitPolicyValidator.Validate(policies.Split, $"/apis/{i}/policies/split", backends, applications, Problem);
                DegradationPolicyValidator.Validate(policies, $"/apis/{i}/policies", backends, Problem);
            }

            ValidateOperations(api, $"/apis/{i}/operations", Problem);
            ProtectionValidator.Validate(api, $"/apis/{i}", Problem);
            LifecycleValidator.Validate(api, $"/apis/{i}", Problem);
        }

        ValidateBackends(snapshot.Backends, Problem);
        ValidatePlans(snapshot.Plans, Problem);
        IdentityValidator.Validate(snapshot, applications, Problem);
        for (var i = 0; i < snapshot.Applications.Count; i++)
        {
            ProtectionValidator.ValidateAddresses(snapshot.Applications[i].Addresses, $"/applications/{i}/addresses", Problem);
        }

        var hashes = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < snapshot.Credentials.Count; i++)
        {
            var credential = snapshot.Credentials[i];
            if (!applications.Contains(credential.ApplicationId))
            {
                Problem($"/credentials/{i}/applicationId", $"names no application: {credential.ApplicationId}");
            }

            if (credential.Hash.Length != KeyHash.Size)
            {
                Problem($"/credentials/{i}/hash", $"must be {KeyHash.Size} bytes, is {credential.Hash.Length}");
            }
            else if (!hashes.Add(Convert.ToHexString(credential.Hash.Span)))
            {
                Problem($"/credentials/{i}/hash", "belongs to another credential already");
            }
        }

        var rights = new HashSet<(Guid, Guid)>();
        for (var i = 0; i < snapshot.Subscriptions.Count; i++)
        {
            var subscription = snapshot.Subscriptions[i];
            if (!applications.Contains(subscription.ApplicationId))
            {
                Problem($"/subscriptions/{i}/applicationId", $"names no application: {subscription.ApplicationId}");
            }

            if (!versions.Contains(subscription.VersionId))
            {
                Problem($"/subscriptions/{i}/versionId", $"names no API version: {subscription.VersionId}");
            }

            if (!plans.Contains(subscription.PlanId))
            {
                Problem($"/subscriptions/{i}/planId", $"names no plan: {subscription.PlanId}");
            }

            if (!rights.Add((subscription.ApplicationId, subscription.VersionId)))
            {
                Problem($"/subscriptions/{i}", "the application has an active subscription to this version already");
            }
        }

        return problems;
    }

    internal static bool IsBasePath(string text) => BasePath().IsMatch(text);

    /// <summary>JSON can put a null into any list, and the serializer lets it.</summary>
    private static void FindNulls(Snapshot snapshot, Action<string, string> problem)
    {
        Find(snapshot.Apis, "/apis");
        Find(snapshot.Backends, "/backends");
        Find(snapshot.Plans, "/plans");
        Find(snapshot.Applications, "/applications");
        Find(snapshot.Credentials, "/credentials");
        Find(snapshot.Subscriptions, "/subscriptions");
        Inside(snapshot.Apis, static api => api.Operations, "/apis", "operations");
        Inside(snapshot.Backends, static backend => backend.Addresses, "/backends", "addresses");
        Inside(snapshot.Plans, static plan => plan.RateLimits, "/plans", "rateLimits");

        void Inside<T, TInner>(IReadOnlyList<T> items, Func<T, IReadOnlyList<TInner>> inner, string at, string member)
        {
            for (var i = 0; i < items.Count; i++)
            {
                if (items[i] is { } item)
                {
                    Find(inner(item), $"{at}/{i}/{member}");
                }
            }
        }

        void Find<T>(IReadOnlyList<T> items, string at)
        {
            for (var i = 0; i < items.Count; i++)
            {
                if (items[i] is null)
                {
                    problem($"{at}/{i}", "must not be null");
                }
            }
        }
    }

    private static void ValidateOperations(ApiModel api, string at, Action<string, string> problem)
    {
        var ids = new HashSet<string>(StringComparer.Ordinal);
        var shapes = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < api.Operations.Count; i++)
        {
            var operation = api.Operations[i];
            if (operation.OperationId.Length is 0 or > 128 || operation.OperationId.Any(char.IsControl) || !ids.Add(operation.OperationId))
            {
                problem($"{at}/{i}/operationId", "must be 1 to 128 characters, none of them a control character, and unique in its API version");
            }

            if (!Methods.Contains(operation.Method))
            {
                problem($"{at}/{i}/method", $"must be one of {string.Join(", ", Methods)}");
            }

            if (!PathTemplate().IsMatch(operation.PathTemplate))
            {
                problem($"{at}/{i}/pathTemplate", "must start with '/' and consist of literal segments and whole-segment parameters such as {id}");
            }
            else if (!shapes.Add(operation.Method + " " + Parameter().Replace(operation.PathTemplate, "{}")))
            {
                problem($"{at}/{i}/pathTemplate", $"matches the same requests as another operation: {operation.Method} {operation.PathTemplate}");
            }

            LimitPolicyValidator.Validate(operation.Policies?.Limits, $"{at}/{i}/policies/limits", problem);
            LimitPolicyValidator.ValidateCost(operation.Policies?.Cost, $"{at}/{i}/policies/cost", problem);
            ResiliencePolicyValidator.Validate(operation.Policies?.Timeouts, $"{at}/{i}/policies/timeouts", problem);
            ScopeValidator.Validate(operation.Policies?.Scopes, $"{at}/{i}/policies/scopes", problem);
            ExampleAnswerValidator.Validate(operation.Policies, $"{at}/{i}/policies", problem);
        }
    }

    private static void ValidateBackends(IReadOnlyList<BackendModel> backends, Action<string, string> problem)
    {
        for (var i = 0; i < backends.Count; i++)
        {
            var backend = backends[i];
            BackendProtocol.Validate(backend, $"/backends/{i}", problem);
            if (backend.Service is null && backend.Addresses.Count == 0 && backend.Dns is null)
            {
                problem($"/backends/{i}", "needs a service name (leased instances), a DNS name or at least one address");
            }

            BackendPoliciesValidator.Validate(backend, $"/backends/{i}", problem);

            if (backend.Service is not null && !Name().IsMatch(backend.Service))
            {
                problem($"/backends/{i}/service", "must match [a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?");
            }

            for (var j = 0; j < backend.Addresses.Count; j++)
            {
                var address = backend.Addresses[j];
                if (!address.IsAbsoluteUri || address.Scheme is not ("http" or "https") || address.PathAndQuery != "/" || address.UserInfo.Length > 0)
                {
                    problem($"/backends/{i}/addresses/{j}", "must be an absolute http or https URL without user, path and query");
                }
            }
        }
    }

    private static void ValidatePlans(IReadOnlyList<PlanModel> plans, Action<string, string> problem)
    {
        for (var i = 0; i < plans.Count; i++)
        {
            if (plans[i].Priority is < 0 or > 9)
            {
                problem($"/plans/{i}/priority", "must be 0 to 9");
            }

            LimitPolicyValidator.Validate(plans[i], $"/plans/{i}", problem);
            ScopeValidator.Validate(plans[i].Scopes, $"/plans/{i}/scopes", problem);
        }
    }

    private static HashSet<Guid> Index<T>(IReadOnlyList<T> items, Func<T, Guid> id, string at, string member, Action<string, string> problem)
    {
        var seen = new HashSet<Guid>(items.Count);
        for (var i = 0; i < items.Count; i++)
        {
            if (id(items[i]) == Guid.Empty || !seen.Add(id(items[i])))
            {
                problem($"{at}/{i}/{member}", "must be a unique, non-empty id");
            }
        }

        return seen;
    }

    [GeneratedRegex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Name();

    [GeneratedRegex("^[a-z0-9][a-z0-9.-]{0,31}\\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Version();

    // A segment never starts with a dot: "/.." and "/." must not become a route.
    [GeneratedRegex("^(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+\\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex BasePath();

    [GeneratedRegex("^(/|(/([A-Za-z0-9_~:@!$&'()*+,;=-][A-Za-z0-9._~:@!$&'()*+,;=-]*|\\{[A-Za-z_][A-Za-z0-9_]*\\}))+)\\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex PathTemplate();

    [GeneratedRegex("\\{[^}]*\\}", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Parameter();
}
