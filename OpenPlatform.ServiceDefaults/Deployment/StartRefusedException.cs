namespace OpenPlatform.ServiceDefaults.Deployment;

/// <summary>A service cannot start as it is set up. The message names the setting and says how to mend it, and never repeats a secret: it is all that is printed.</summary>
public sealed class StartRefusedException : InvalidOperationException
{
    public StartRefusedException(string message) : base(message) { }
    public StartRefusedException(string message, Exception inner) : base(message, inner) { }
    public StartRefusedException() { }
}
