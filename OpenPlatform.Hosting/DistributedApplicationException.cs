namespace Aspire.Hosting;

/// <summary>The application cannot be built or run as described; the message says what to change.</summary>
public class DistributedApplicationException : Exception
{
    public DistributedApplicationException() { }
    public DistributedApplicationException(string message) : base(message) { }
    public DistributedApplicationException(string message, Exception inner) : base(message, inner) { }
}

/// <summary>A parameter has no value.</summary>
public class MissingParameterValueException : DistributedApplicationException
{
    public MissingParameterValueException() { }
    public MissingParameterValueException(string message) : base(message) { }
    public MissingParameterValueException(string message, Exception inner) : base(message, inner) { }
}
