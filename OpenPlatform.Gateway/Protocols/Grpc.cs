using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using OpenPlatform.Gateway.Refusals;

namespace OpenPlatform.Gateway.Protocols;

/// <summary>What gRPC asks of a proxy (PROTOCOL-HTTP2.md of the gRPC project): deadlines, statuses, headers that go out at once.</summary>
internal static class Grpc
{
    public const string TimeoutHeader = "grpc-timeout";
    private const string StatusHeader = "grpc-status";
    private const string MessageHeader = "grpc-message";
    private const string ContentType = "application/grpc";
    private const int MostTimeoutDigits = 8;

    public static bool Is(HttpRequest request) => IsGrpc(request.ContentType);

    /// <summary>A stream may be silent for as long as it likes: only its deadline ends it.</summary>
    public static void Begin(HttpContext context)
    {
        if (Is(context.Request) && context.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate)
        {
            rate.MinDataRate = null;
        }
    }

    /// <summary>The wait that a client asked for, in milliseconds, rounded up; otherwise <see cref="int.MaxValue"/>.</summary>
    public static int Asked(IHeaderDictionary headers) =>
        headers.TryGetValue(TimeoutHeader, out var asked) ? Milliseconds(asked.ToString()) : int.MaxValue;

    /// <summary>Tells the backend what is left of the client's deadline.</summary>
    public static void PassOn(HttpRequestHeaders headers, long milliseconds)
    {
        if (headers.Remove(TimeoutHeader))
        {
            headers.TryAddWithoutValidation(TimeoutHeader, Math.Min(milliseconds, 99_999_999).ToString(CultureInfo.InvariantCulture) + "m");
        }
    }

    /// <summary>A method is named by the last two segments of its path, <c>/package.Service/Method</c>; what an API's base path may be is
    /// before them, or the first of them.</summary>
    public static string MethodOf(string path) => path.LastIndexOf('/', path.Length - 1) is > 0 and var last ? path[path.LastIndexOf('/', last - 1)..] : path;

    /// <summary>
    /// True for answers whose head must not wait for their first byte: a gRPC client may wait for it before it sends more, and a
    /// reader of events wants to know that it is connected. Not for one that has its status in its head already: that one ends here.
    /// </summary>
    public static bool MustFlush(HttpResponseMessage answer) =>
        answer.Content.Headers.ContentType?.MediaType is { } type && (type == "text/event-stream" || (IsGrpc(type) && !answer.Headers.NonValidated.Contains(StatusHeader)));

    /// <summary>Makes the response a refusal in the form gRPC knows: a head and nothing else ("Trailers-Only").</summary>
    public static void Refuse(HttpResponse response, RefusalShape refusal)
    {
        response.StatusCode = StatusCodes.Status200OK;
        response.ContentType = ContentType;
        response.Headers[StatusHeader] = StatusOf(refusal.Status).ToString(CultureInfo.InvariantCulture);
        response.Headers[MessageHeader] = PercentEncoded($"{refusal.Title}. {refusal.Detail} ({refusal.Type})");
    }

    private static bool IsGrpc(string? type) =>
        type is not null && type.StartsWith(ContentType, StringComparison.OrdinalIgnoreCase) && (type.Length == ContentType.Length || type[ContentType.Length] is '+' or ';');

    private static int Milliseconds(string timeout)
    {
        if (timeout.Length is < 2 or > MostTimeoutDigits + 1
            || !int.TryParse(timeout.AsSpan(0, timeout.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var value))
        {
            return int.MaxValue;
        }

        var milliseconds = timeout[^1] switch
        {
            'H' => value * 3_600_000L,
            'M' => value * 60_000L,
            'S' => value * 1000L,
            'm' => value,
            'u' => (value + 999L) / 1000,
            'n' => (value + 999_999L) / 1_000_000,
            _ => int.MaxValue,
        };
        return (int)Math.Min(milliseconds, int.MaxValue);
    }

    /// <summary>The status that means what the HTTP one means, as gRPC's own table has it where it has one.</summary>
    internal static int StatusOf(int http) => http switch
    {
        400 or 422 => 3,               // INVALID_ARGUMENT
        401 => 16,                     // UNAUTHENTICATED
        403 => 7,                      // PERMISSION_DENIED
        404 or 405 or 410 or 415 => 12, // UNIMPLEMENTED
        408 or 504 => 4,               // DEADLINE_EXCEEDED
        413 or 429 or 431 => 8,        // RESOURCE_EXHAUSTED
        502 or 503 => 14,              // UNAVAILABLE
        500 => 13,                     // INTERNAL
        _ => 2,                        // UNKNOWN
    };

    private static string PercentEncoded(string text)
    {
        var encoded = new StringBuilder(text.Length);
        foreach (var unit in Encoding.UTF8.GetBytes(text))
        {
            _ = unit is >= 0x20 and <= 0x7E and not (byte)'%' ? encoded.Append((char)unit) : encoded.Append('%').Append(unit.ToString("X2", CultureInfo.InvariantCulture));
        }

        return encoded.ToString();
    }
}
