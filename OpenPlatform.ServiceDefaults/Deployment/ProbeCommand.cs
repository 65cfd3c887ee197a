using System.Net;

namespace OpenPlatform.ServiceDefaults.Deployment;

/// <summary>
/// <c>--probe URL</c>: the service's program as its own health check, for images that hold nothing else. Asks once and ends: 0 when the answer is
/// 200, 1 when it is another or none within 3 s, 2 when that is no URL.
/// </summary>
internal static class ProbeCommand
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(3);

    /// <summary>Ends the process when it was started with <c>--probe</c>; before the service has begun anything.</summary>
    public static void AnswerIfAsked(IReadOnlyList<string> arguments)
    {
        if (ExitCodeOrNull(arguments) is { } exitCode)
        {
            Environment.Exit(exitCode);
        }
    }

    /// <param name="arguments">Of the process, its name first.</param>
    public static int? ExitCodeOrNull(IReadOnlyList<string> arguments)
    {
        for (var i = 1; i < arguments.Count; i++)
        {
            if (arguments[i] == "--probe")
            {
                return i + 1 < arguments.Count && Uri.TryCreate(arguments[i + 1], UriKind.Absolute, out var url) && url.Scheme is "http" or "https" ? Ask(url) : 2;
            }
        }

        return null;
    }

    private static int Ask(Uri url)
    {
        try
        {
            using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false }) { Timeout = Timeout };
            using var request = new HttpRequestMessage(HttpMethod.Get, url);
            using var response = http.Send(request, HttpCompletionOption.ResponseHeadersRead);
            return response.StatusCode == HttpStatusCode.OK ? 0 : 1;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            return 1;
        }
    }
}
