using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Options;

namespace OpenPlatform.ServiceDefaults.Deployment;

/// <summary>Which exceptions of a start are questions of how the service was set up, and what they say to who did.</summary>
internal static class StartProblems
{
    /// <summary>A line for each problem; null: none of them, but a fault.</summary>
    public static IReadOnlyList<string>? Of(Exception exception) => exception switch
    {
        StartRefusedException refused => refused.Message.Split('\n'),
        OptionsValidationException options => [.. options.Failures.Select(failure => Named(options.OptionsType, failure))],

        // Several options at once. One that is a fault makes the whole a fault.
        AggregateException { InnerExceptions.Count: > 0 } several => several.InnerExceptions.Select(Of).ToList() is var all && all.TrueForAll(static one => one is not null)
            ? [.. all.SelectMany(static one => one!)]
            : null,

        // "Failed to convert configuration value '…' at 'Section:Key' to type 'System.TimeSpan'."
        InvalidOperationException { Source: "Microsoft.Extensions.Configuration.Binder" } => [exception.Message],

        // "Failed to load configuration from file '…/appsettings.json'.", and why.
        InvalidDataException { InnerException: FormatException } => [$"{exception.Message} {exception.GetBaseException().Message}"],

        // "Failed to bind to address http://127.0.0.1:5000: address already in use."
        IOException { InnerException: AddressInUseException } => [exception.Message + " Choose another one (--urls, ASPNETCORE_URLS), or end what listens there."],
        SocketException { SocketErrorCode: SocketError.AccessDenied or SocketError.AddressNotAvailable } =>
            [$"An address of --urls or ASPNETCORE_URLS cannot be listened on: {exception.Message}"],

        // No address at all, and certificates: "Invalid url: '…'", "Unable to configure HTTPS endpoint. No server certificate was specified …"
        FormatException { Source: "Microsoft.AspNetCore.Http" } => [$"--urls or ASPNETCORE_URLS: {exception.Message}"],
        InvalidOperationException { Source: "Microsoft.AspNetCore.Server.Kestrel.Core" } => [exception.Message.ReplaceLineEndings(" ")],
        _ => null,
    };

    /// <summary>Rules that are attributes know the property; the class knows its section.</summary>
    private static string Named(Type options, string failure) =>
        options.GetField("Section")?.GetRawConstantValue() is string section && !failure.Contains("OpenPlatform:", StringComparison.Ordinal) ? $"{section}:{failure}" : failure;
}
