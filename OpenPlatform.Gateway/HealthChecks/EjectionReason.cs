namespace OpenPlatform.Gateway.HealthChecks;

/// <summary>Why an instance gets no requests.</summary>
internal enum EjectionReason
{
    /// <summary>It has not yet passed its first probe.</summary>
    Starting,

    /// <summary>It cannot be connected to.</summary>
    ConnectError,

    /// <summary>It takes connections and answers nothing, not even a probe: frozen.</summary>
    Silent,

    /// <summary>It answers its probes, and says that it is not well.</summary>
    ProbeFailed,

    /// <summary>Timeouts and broken answers in a row.</summary>
    FailuresInARow,

    /// <summary>Too many of its answers are failures.</summary>
    FailureRate,
}

/// <summary>What a probe has found out.</summary>
internal enum ProbeResult
{
    /// <summary>200 to 299; for a probe of mere life, any answer.</summary>
    Healthy,

    /// <summary>Another answer.</summary>
    Unhealthy,

    /// <summary>No connection.</summary>
    Refused,

    /// <summary>No answer in time.</summary>
    Silent,
}
