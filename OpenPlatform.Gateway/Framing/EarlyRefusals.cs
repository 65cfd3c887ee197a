using System.Net;
using OpenPlatform.Gateway.Observability;
using OpenPlatform.Gateway.Refusals;

namespace OpenPlatform.Gateway.Framing;

/// <summary>Refusals of the server itself, before there is a request that could pass the steps: they are counted and have their line in the access log all the same.</summary>
internal sealed class EarlyRefusals(RefusalWriter refusals, AccessLog log, TimeProvider time)
{
    /// <summary>What a method is called that nobody could read.</summary>
    private const string NoMethod = "-";

    /// <summary>The problem that is answered.</summary>
    public byte[] Content(Refusal refusal, string requestId, EndPoint? client)
    {
        if (log.Wants(isFine: false))
        {
            log.Write(new(
                time.GetUtcNow().UtcDateTime, 0, NoMethod, RefusalTable.Shapes[refusal].Status, refusal, Operation: null, Application: default, requestId, TraceId: default, Instance: null,
                (client as IPEndPoint)?.Address ?? IPAddress.None));
        }

        return refusals.Content(refusal, requestId);
    }
}
