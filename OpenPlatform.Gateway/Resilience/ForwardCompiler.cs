using Microsoft.Extensions.Options;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Forwarding;
using OpenPlatform.Gateway.Snapshots;

namespace OpenPlatform.Gateway.Resilience;

/// <summary>
/// Compiles policies to <see cref="ForwardModel"/>s. Breakers and bulkheads outlive a snapshot as long as their policy stays the same: a
/// new revision neither closes an open breaker nor forgets what is under way.
/// </summary>
internal sealed class ForwardCompiler(IOptions<ForwardingOptions> options)
{
    private readonly Dictionary<Guid, State> _states = [];

    /// <summary>For one operation; operations that differ in nothing share one.</summary>
    public Func<OperationModel, ForwardModel> ForApi(ApiModel api)
    {
        var state = _states[api.VersionId] = new(api.Policies?.Breaker, Breaker(api), Bulkhead(api), ApplicationBulkheads(api));
        var shared = new Dictionary<(bool, TimeoutPolicy?), ForwardModel>();
        return operation =>
        {
            var idempotent = operation.Policies?.Idempotent ?? ForwardModel.IsIdempotent(operation.Method);
            if (!shared.TryGetValue((idempotent, operation.Policies?.Timeouts), out var model))
            {
                shared.Add((idempotent, operation.Policies?.Timeouts), model = Compile(api.Policies, operation.Policies?.Timeouts, idempotent, state));
            }

            return model;
        };
    }

    /// <summary>Forgets the state of versions that are not in force any more.</summary>
    public void Retain(IReadOnlyDictionary<Guid, CompiledApi> apis)
    {
        foreach (var version in _states.Keys.Where(version => !apis.ContainsKey(version)).ToArray())
        {
            _states.Remove(version);
        }
    }

    private CircuitBreaker? Breaker(ApiModel api) =>
        api.Policies?.Breaker is not { } policy ? null
        : _states.GetValueOrDefault(api.VersionId) is { Breaker: { } old } state && state.Policy == policy ? old
        : new CircuitBreaker(policy);

    private Bulkhead? Bulkhead(ApiModel api)
    {
        if (api.Policies?.Bulkhead?.MaxConcurrent is not { } max)
        {
            return null;
        }

        var bulkhead = _states.GetValueOrDefault(api.VersionId).Bulkhead ?? new();
        bulkhead.Max = max;
        return bulkhead;
    }

    private ApplicationBulkheads? ApplicationBulkheads(ApiModel api)
    {
        if (api.Policies?.Bulkhead?.MaxConcurrentPerApplication is not { } max)
        {
            return null;
        }

        var bulkheads = _states.GetValueOrDefault(api.VersionId).Applications ?? new();
        bulkheads.Max = max;
        return bulkheads;
    }

    private ForwardModel Compile(ApiPolicies? policies, TimeoutPolicy? operation, bool idempotent, State state)
    {
        var (api, retry) = (policies?.Timeouts, policies?.Retry);
        var idle = operation?.IdleMilliseconds ?? api?.IdleMilliseconds;
        var connect = operation?.ConnectMilliseconds ?? api?.ConnectMilliseconds;
        return new()
        {
            IdleMilliseconds = idle ?? (long)options.Value.ActivityTimeout.TotalMilliseconds,
            Versions = new(idle is { } milliseconds ? TimeSpan.FromMilliseconds(milliseconds) : options.Value.ActivityTimeout),
            Connect = connect is { } wait ? TimeSpan.FromMilliseconds(wait) : null,
            FirstByte = operation?.FirstByteMilliseconds ?? api?.FirstByteMilliseconds ?? (int)options.Value.FirstByteTimeout.TotalMilliseconds,
            Total = operation?.TotalMilliseconds ?? api?.TotalMilliseconds ?? 0,
            Retries = retry?.Retries ?? options.Value.Retries,
            RetryStatuses = (retry?.Statuses ?? []).Aggregate(0, static (bits, status) => bits | (1 << (status - 500))),
            Idempotent = idempotent,
            MaxReplayBytes = retry?.MaxBodyBytes ?? options.Value.MaxReplayBytes,
            Breaker = state.Breaker,
            Bulkhead = state.Bulkhead,
            ApplicationBulkheads = state.Applications,
        };
    }

    /// <summary>What lives longer than a snapshot, of one API version.</summary>
    private readonly record struct State(BreakerPolicy? Policy, CircuitBreaker? Breaker, Bulkhead? Bulkhead, ApplicationBulkheads? Applications);
}
