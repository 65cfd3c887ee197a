using System.CommandLine;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using OpenPlatform.Cli.Connection;

namespace OpenPlatform.Cli.Commands;

/// <summary>The private port of one gateway replica (docs/private-port.md).</summary>
internal sealed class GatewayPort : IDisposable
{
    public const string TokenVariable = "OPENPLATFORM_SERVICE_TOKEN";

    private readonly HttpClient _http;

    private GatewayPort(Uri address)
    {
        _http = new() { BaseAddress = address, Timeout = TimeSpan.FromSeconds(10) };
        if (Environment.GetEnvironmentVariable(TokenVariable) is { Length: > 0 } token)
        {
            _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }
    }

    public static Option<Uri> Address() => new("--gateway")
    {
        Description = $"Private port of the replica, such as http://127.0.0.1:8081; beyond the loopback {TokenVariable} is presented there.",
        Required = true,
        CustomParser = static result => ConnectionOptions.UrlOf(result.Tokens.Single().Value, message => result.AddError($"--gateway {message}")),
    };

    public static GatewayPort Open(Uri address) => new(address);

    public void Dispose() => _http.Dispose();

    /// <summary>The answer, or null when there is no such thing there.</summary>
    public async Task<JsonNode?> SendAsync(HttpMethod method, string path, IEnumerable<(string Name, string Value)> headers, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, path);
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        try
        {
            using var response = await _http.SendAsync(request, cancellationToken);
            return response.StatusCode switch
            {
                HttpStatusCode.NotFound => null,
                HttpStatusCode.Unauthorized => throw new CommandFailure(ExitCode.Denied, $"The gateway asks for its service token: set {TokenVariable}."),
                _ when response.IsSuccessStatusCode => JsonNode.Parse(await response.Content.ReadAsStringAsync(cancellationToken)),
                var status => throw new CommandFailure(ExitCode.Unavailable, $"The gateway answered {(int)status}."),
            };
        }
        catch (Exception e) when (e is HttpRequestException or System.Text.Json.JsonException || (e is TaskCanceledException && !cancellationToken.IsCancellationRequested))
        {
            throw new CommandFailure(ExitCode.Unavailable, $"No gateway's private port answers at {_http.BaseAddress}: {e.Message}", e);
        }
    }
}
