using Microsoft.Extensions.Options;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Forwarding;

namespace OpenPlatform.Gateway.Resilience;

/// <summary>
/// Compiles policies to <see cref="ForwardModel"/>s. Breakers and bulkheads outlive a snapshot as long as their policy stays the same: a
/// new revision neither closes an open breaker nor forgets what is under way.
/// </summary>
internal sealed class ForwardCompiler(IOptions<ForwardingOptions> options)
{
    private Dictionary<Guid, (BreakerPolicy Policy, CircuitBreaker Breaker)> _breakers = [];
    private Dictionary<(Guid Version, Guid Application), Bulkhead> _bulkheads = [];

    /// <summary>One snapshot's worth; what it does not ask for is forgotten when the next one begins.</summary>
    public Revision Begin() => new(this, options.Value);

    internal sealed class Revision(ForwardCompiler compiler, ForwardingOptions options)
    {
        private readonly Dictionary<Guid, (BreakerPolicy Policy, CircuitBreaker Breaker)> _breakers = [];
        private readonly Dictionary<(Guid Version, Guid Application), Bulkhead> _bulkheads = [];

        /// <summary>For one operation; operations that differ in nothing share one.</summary>
        public Func<OperationModel, ForwardModel> ForApi(ApiModel api)
        {
            var breaker = Breaker(api);
            var bulkhead = Bulkhead(api.VersionId, Guid.Empty, api.Policies?.Bulkhead?.MaxConcurrent);
            var shared = new Dictionary<(bool, TimeoutPolicy?), ForwardModel>();
            return operation =>
            {
                var idempotent = operation.Policies?.Idempotent ?? ForwardModel.IsIdempotent(operation.Method);
                if (!shared.TryGetValue((idempotent, operation.Policies?.Timeouts), out var model))
                {
                    shared.Add((idempotent, operation.Policies?.Timeouts), model = Compile(api.Policies, operation.Policies?.Timeouts, idempotent, breaker, bulkhead));
                }

                return model;
            };
        }

        /// <summary>What one application may have under way at one API version, or null: any number.</summary>
        public Bulkhead? Bulkhead(Guid versionId, Guid applicationId, int? max)
        {
            if (max is null)
            {
                return null;
            }

            var key = (versionId, applicationId);
            var bulkhead = compiler._bulkheads.GetValueOrDefault(key) ?? new();
            bulkhead.Max = max.Value;
            _bulkheads.Add(key, bulkhead);
            return bulkhead;
        }

        /// <summary>The snapshot is compiled: this is what the next one may take over.</summary>
        public void End() => (compiler._breakers, compiler._bulkheads) = (_breakers, _bulkheads);

        private CircuitBreaker? Breaker(ApiModel api)
        {
            if (api.Policies?.Breaker is not { } policy)
            {
                return null;
            }

            var kept = compiler._breakers.TryGetValue(api.VersionId, out var old) && old.Policy == policy ? old.Breaker : new CircuitBreaker(policy);
            _breakers.Add(api.VersionId, (policy, kept));
            return kept;
        }

        private ForwardModel Compile(ApiPolicies? policies, TimeoutPolicy? operation, bool idempotent, CircuitBreaker? breaker, Bulkhead? bulkhead)
        {
            var (api, retry) = (policies?.Timeouts, policies?.Retry);
            var idle = operation?.IdleMilliseconds ?? api?.IdleMilliseconds;
            var connect = operation?.ConnectMilliseconds ?? api?.ConnectMilliseconds;
            return new()
            {
                Versions = new(idle is { } milliseconds ? TimeSpan.FromMilliseconds(milliseconds) : options.ActivityTimeout),
                Connect = connect is { } wait ? TimeSpan.FromMilliseconds(wait) : null,
                FirstByte = operation?.FirstByteMilliseconds ?? api?.FirstByteMilliseconds ?? (int)options.FirstByteTimeout.TotalMilliseconds,
                Total = operation?.TotalMilliseconds ?? api?.TotalMilliseconds ?? 0,
                Retries = retry?.Retries ?? options.Retries,
                RetryStatuses = (retry?.Statuses ?? []).Aggregate(0, static (bits, status) => bits | (1 << (status - 500))),
                Idempotent = idempotent,
                MaxReplayBytes = retry?.MaxBodyBytes ?? options.MaxReplayBytes,
                Breaker = breaker,
                Bulkhead = bulkhead,
            };
        }
    }
}
