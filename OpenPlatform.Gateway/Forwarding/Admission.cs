using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Overload;
using OpenPlatform.Gateway.Refusals;
using OpenPlatform.Gateway.Resilience;

namespace OpenPlatform.Gateway.Forwarding;

/// <summary>
/// The doors in front of a backend, each a null check where it is off: bulkheads of the API and of the application, the overload gate, the
/// circuit breaker. The breaker is last, because its probe must not be turned away at another door.
/// </summary>
internal struct Admission
{
    private Bulkhead? _api;
    private Bulkhead? _application;
    private BreakerDecision _breaker;

    /// <summary>Through all of them, or at which one not; <see cref="Leave"/> in either case.</summary>
    public Refusal TryEnter(GatewayRequest request, ForwardModel forward, OverloadGates gates)
    {
        if (forward.Bulkhead is { } api)
        {
            if (!api.TryEnter())
            {
                return Refusal.TooManyAtOnce;
            }

            _api = api;
        }

        if (forward.ApplicationBulkheads is { } perApplication)
        {
            var application = perApplication.Of(request.Application.ApplicationId);
            if (!application.TryEnter())
            {
                return Refusal.TooManyAtOnce;
            }

            _application = application;
        }

        if (gates.For(request.Backend) is { } gate)
        {
            if (!gate.TryEnter(request.Subscription.Plan.Priority, out var place))
            {
                return Refusal.Overloaded;
            }

            request.Place = place;
        }

        if (forward.Breaker is not { } breaker)
        {
            return Refusal.None;
        }

        _breaker = breaker.TryEnter(Environment.TickCount64);
        return _breaker == BreakerDecision.Refused ? Refusal.CircuitOpen : Refusal.None;
    }

    /// <param name="success">Of the API's own backend; null: nothing can be said.</param>
    /// <returns>True when the breaker changed.</returns>
    public readonly bool Leave(GatewayRequest request, ForwardModel forward, bool? success)
    {
        _api?.Leave();
        _application?.Leave();
        request.LeaveOverload(sample: false);
        return _breaker != BreakerDecision.Refused && forward.Breaker!.Leave(_breaker, success, Environment.TickCount64);
    }
}
