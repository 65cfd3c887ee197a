using System.Diagnostics;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Refusals;

namespace OpenPlatform.Gateway.Observability;

/// <summary>
/// What a request has come to, kept as it was found and put into words only when somebody asks. It holds on to nothing of the snapshot:
/// the last refusal of a quiet night would keep a whole one in memory.
/// </summary>
internal sealed class RecordedRequest
{
    private readonly IReadOnlyList<string> _names;
    private readonly StepClock? _clock;
    private readonly Type? _refusedBy;
    private readonly Refusal _refusal;
    private readonly long _began;
    private readonly long _ended;
    private readonly DateTimeOffset _at;
    private readonly string _method;
    private readonly int _status;
    private readonly long _revision;
    private readonly Origin _origin;
    private readonly (string Method, string Route, string Id, string State)? _operation;
    private readonly Guid? _application;
    private readonly (Guid Id, Guid Plan)? _subscription;
    private readonly (string Name, long Left)? _limit;
    private readonly string? _backend;
    private readonly string? _instance;

    /// <param name="names">Of all steps, in their order.</param>
    public RecordedRequest(GatewayRequest request, IReadOnlyList<string> names, long began, DateTimeOffset at)
    {
        var http = request.Http;
        _ended = Stopwatch.GetTimestamp();
        (_names, _clock, _began, _at, _refusal, _refusedBy) = (names, request.Clocked, began, at, request.Refusal, request.RefusedBy?.GetType());
        (RequestId, _method, _status, _revision, _origin) = (request.RequestId, http.Request.Method, http.Response.StatusCode, request.Snapshot.Revision, request.Origin);
        _operation = request.Operation is { } operation
            ? (operation.Method, operation.RouteText, operation.OperationId, operation.Api.Lifecycle?.State ?? LifecycleStates.Published)
            : null;
        _application = request.Application?.ApplicationId;
        _subscription = request.Subscription is { } subscription ? (subscription.SubscriptionId, subscription.Plan.PlanId) : null;
        _limit = request.TightestLimit is { } limit ? (limit.Limit.Name, limit.Remaining().Left) : null;
        _backend = request.Backend?.Model.Name;
        _instance = request.Instance?.Prefix;
    }

    public string RequestId { get; }

    private string? Slug => _refusal == Refusal.None ? null : RefusalTable.Shapes[_refusal].Slug;

    public RequestDecisions Explain() => new(
        RequestId, _at, _method, _status, Slug, _operation?.Route, _application, _subscription?.Plan, _instance, Math.Round(Stopwatch.GetElapsedTime(_began, _ended).TotalMicroseconds, 1), Decisions());

    private List<StepDecision> Decisions()
    {
        var steps = (_clock is null ? Passed().Select(step => Decided(step, null)) : _clock.Read(_ended).Select(step => Decided(step.Step, Math.Round(step.Microseconds, 1)))).ToList();
        if (steps.Count > 0 && Slug is { } refusal)
        {
            steps[^1] = steps[^1] with { Decision = "refused: " + refusal };
        }

        return steps;
    }

    /// <summary>Without a clock: a request passes the steps in their order, up to the one that refused it.</summary>
    private IEnumerable<int> Passed() => _refusedBy is null ? [] : Enumerable.Range(0, _names.ToList().IndexOf(Steps.NameOf(_refusedBy)) + 1);

    /// <summary>In the words of the step's own result.</summary>
    private StepDecision Decided(int step, double? microseconds) => new(_names[step], microseconds, _names[step] switch
    {
        "request-context" => $"revision {_revision}, client {_origin.AddressText}",
        "route" when _operation is { } operation => $"{operation.Method} {operation.Route} ({operation.Id})",
        "lifecycle" when _operation is { } operation => operation.State,
        "authentication" when _application is { } application => $"application {application}",
        "authorization" when _subscription is { } subscription => $"subscription {subscription.Id}, plan {subscription.Plan}",
        "rate-limit" => _limit is { } limit ? $"{limit.Name}: {limit.Left} left" : "no limit",
        "split" when _backend is { } backend => $"backend {backend}",
        "forwarding" when _instance is { } instance => $"instance {instance}",
        _ => null,
    });
}
