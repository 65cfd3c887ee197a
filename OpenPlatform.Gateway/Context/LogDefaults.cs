using Microsoft.Extensions.Configuration.Memory;

namespace OpenPlatform.Gateway.Context;

/// <summary>What is logged unless the configuration says otherwise, wherever the process was started: no lines for each request, those are the access log's.</summary>
internal static class LogDefaults
{
    public static void AddQuietLogs(this WebApplicationBuilder builder) =>
        ((IConfigurationBuilder)builder.Configuration).Sources.Insert(0, new MemoryConfigurationSource
        {
            InitialData = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase)
            {
                ["Logging:LogLevel:Microsoft.AspNetCore"] = "Warning",
                // While this one could log anything, every request gets an Activity although nobody traces. It has nothing to say:
                // an exception of a request is logged by the step that answers it.
                ["Logging:LogLevel:Microsoft.AspNetCore.Hosting.Diagnostics"] = "None",
                ["Logging:LogLevel:System.Net.Http.HttpClient"] = "Warning",
                ["Logging:LogLevel:Yarp"] = "Error",
            },
        });
}
