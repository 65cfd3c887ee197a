using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;

namespace OpenPlatform.Hosting;

public static class StateDirectoryExtensions
{
    /// <summary>
    /// Gives the resource a folder of its own, kept between runs (temporary in tests or with <c>OPENPLATFORM_DATA=temporary</c>).
    /// Replicas share it. Deployed, each instance has a volume of its own; in the Aspire manifest the variable is not set, since it has no words for that.
    /// </summary>
    /// <param name="builder">The resource.</param>
    /// <param name="environmentVariable">Receives the absolute path, such as <c>OpenPlatform__StateDirectory</c>.</param>
    public static IResourceBuilder<T> WithStateDirectory<T>(this IResourceBuilder<T> builder, string environmentVariable) where T : IResourceWithEnvironment
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(environmentVariable);
        return builder.WithAnnotation(new StateDirectoryAnnotation(environmentVariable)).WithEnvironment(context =>
        {
            if (context.ExecutionContext.IsRunMode)
            {
                context.EnvironmentVariables[environmentVariable] = context.ExecutionContext.ServiceProvider.GetRequiredService<DataFolders>().For(builder.Resource, keep: true);
            }
        });
    }
}
