using OpenPlatform.Gateway.Observability;

namespace OpenPlatform.Gateway.Context;

/// <summary>Why a request is in the pipeline.</summary>
internal enum RequestPurpose
{
    /// <summary>Somebody wants an answer.</summary>
    Traffic,

    /// <summary>Somebody wants to know what would become of it: nothing is taken, counted or sent on.</summary>
    Explanation,

    /// <summary>The gateway wants its code compiled: nothing is billed or logged.</summary>
    Warmup,
}

internal sealed partial class GatewayRequest
{
    public RequestPurpose Purpose { get; init; }

    /// <summary>The step that refused it; null: none, or a fault.</summary>
    public IStep? RefusedBy { get; set; }

    /// <summary>When it entered each step; null: nobody wants to know.</summary>
    public StepClock? Clocked { get; set; }
}
