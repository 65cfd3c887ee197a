namespace OpenPlatform.Gateway.Instances;

/// <summary>How one try at an instance ended, as far as it says something about the instance.</summary>
internal enum Outcome
{
    /// <summary>An answer below 500.</summary>
    Success,

    /// <summary>No connection: nothing was sent.</summary>
    ConnectError,

    /// <summary>No answer, or no progress, in time.</summary>
    Timeout,

    /// <summary>An answer of 500 or above.</summary>
    ServerError,

    /// <summary>The client left, or sent what could not be forwarded: says nothing about the instance.</summary>
    Cancelled,

    /// <summary>The instance broke the connection or the answer off, or answered what is not HTTP.</summary>
    Broken,
}
