namespace OpenPlatform.AppHost;

internal static class Secrets
{
    /// <summary>
    /// A secret parameter. Its value comes from <paramref name="environmentVariable"/> when that is set, otherwise from
    /// <c>Parameters:&lt;name&gt;</c>, otherwise it is generated once (<paramref name="length"/> letters and digits, 190 bits for 32) and kept in the user secrets.
    /// </summary>
    public static IResourceBuilder<ParameterResource> AddSecret(
        this IDistributedApplicationBuilder builder, string name, string? environmentVariable = null, int length = 32)
    {
        if (environmentVariable is not null && Environment.GetEnvironmentVariable(environmentVariable) is { Length: > 0 } value)
        {
            // Shorter ones are guessable; the message never repeats the value.
            return value.Length >= 16
                ? builder.AddParameter(name, () => value, secret: true)
                : throw new DistributedApplicationException($"{environmentVariable} must have at least 16 characters; it has {value.Length}.");
        }

        // Letters and digits only: the value travels in headers, environment variables and a curl line.
        var generated = new GenerateParameterDefault { MinLength = length, Special = false };
        return builder.AddParameter(name, generated, secret: true, persist: true);
    }

    /// <summary>A variable of the local run only: what is deployed has no demo.</summary>
    public static IResourceBuilder<T> WithLocalEnvironment<T>(this IResourceBuilder<T> builder, string name, IResourceBuilder<ParameterResource> parameter)
        where T : IResourceWithEnvironment =>
        builder.ApplicationBuilder.ExecutionContext.IsRunMode ? builder.WithEnvironment(name, parameter) : builder;
}
