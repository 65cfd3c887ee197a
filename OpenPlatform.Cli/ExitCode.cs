namespace OpenPlatform.Cli;

/// <summary>What a pipeline can tell apart. docs/command-line.md has the same table; a test compares them.</summary>
internal enum ExitCode
{
    /// <summary>Done; for <c>diff</c>: nothing would change.</summary>
    Done = 0,

    /// <summary><c>diff</c>: something would change.</summary>
    Differs = 1,

    /// <summary>The command line or a file cannot be understood.</summary>
    Usage = 2,

    /// <summary>The catalog refuses the content and says where.</summary>
    Refused = 3,

    /// <summary>Not logged in, or not allowed.</summary>
    Denied = 4,

    /// <summary>Somebody changed it meanwhile, or its state does not allow it.</summary>
    Conflict = 5,

    /// <summary>There is no such thing.</summary>
    NotFound = 6,

    /// <summary>Nobody answers, or the answer is a 5xx.</summary>
    Unavailable = 7,
}

/// <summary>Ends a command with a message for people and a code for pipelines.</summary>
internal sealed class CommandFailure(ExitCode code, string message, Exception? inner = null) : Exception(message, inner)
{
    public ExitCode Code { get; } = code;
}
