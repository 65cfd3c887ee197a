using Microsoft.AspNetCore.Http.Features;
using OpenPlatform.Gateway.Context;

namespace OpenPlatform.Gateway.Usage;

/// <summary>
/// The meter of an answer. It is counted immediately before its last byte goes out: not earlier, because it may break off; not
/// later, because a gateway that dies between the two must not have served unbilled.
/// </summary>
internal sealed class MeteredBody(GatewayRequest request, UsageSpool spool, IHttpResponseBodyFeature inner) : ObservedBody(inner)
{
    private long? _left;
    private bool _counted;

    /// <summary>Counts the answer, once; what the gateway itself answered is not billed.</summary>
    public void Count()
    {
        if (request.AnsweredByBackend && !_counted && request.Purpose == RequestPurpose.Traffic)
        {
            _counted = true;
            spool.Count(request.Subscription, request.Operation, request.Http.Response.StatusCode);
        }
    }

    /// <summary>The forwarder is done: counts what had no announced length. What the backend broke off is not billed; what the
    /// client no longer wanted is.</summary>
    public void Finish()
    {
        if (!request.AnswerBroken)
        {
            Count();
        }
    }

    /// <summary>What is answered from here on is not the backend's.</summary>
    public void Withdraw()
    {
        _counted = true;
        request.Http.Features.Set(Inner);
    }

    public override Task CompleteAsync()
    {
        Count();
        return base.CompleteAsync();
    }

    protected override void Passing(ReadOnlySpan<byte> bytes)
    {
        _left ??= request.Http.Response.ContentLength;
        if (_left is { } left)
        {
            _left = left -= bytes.Length;
            if (left <= 0)
            {
                Count();
            }
        }
    }
}
