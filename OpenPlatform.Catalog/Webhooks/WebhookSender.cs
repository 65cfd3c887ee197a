using System.Globalization;
using System.Net.Http.Headers;
using Microsoft.Extensions.Options;
using OpenPlatform.Catalog.Credentials;

namespace OpenPlatform.Catalog.Webhooks;

/// <summary>What came of a try.</summary>
/// <param name="Status">Null: no answer.</param>
/// <param name="Error">Null: delivered.</param>
/// <param name="IsFinal">True: the receiver wants no further try.</param>
internal readonly record struct SendResult(int? Status, string? Error, bool IsFinal = false);

/// <summary>Sends one delivery once. Follows no redirect, reads no body, uses no proxy.</summary>
internal sealed class WebhookSender : IDisposable
{
    private readonly HttpClient _client;
    private readonly WebhookOptions _options;
    private readonly WebhookGuard _guard;
    private readonly Envelopes _envelopes;
    private readonly TimeProvider _time;

    public WebhookSender(IOptions<WebhookOptions> options, WebhookGuard guard, Envelopes envelopes, TimeProvider time)
    {
        (_options, _guard, _envelopes, _time) = (options.Value, guard, envelopes, time);
        _client = new(new SocketsHttpHandler
        {
            AllowAutoRedirect = false, // to where nobody checked
            UseProxy = false,
            UseCookies = false,
            ConnectCallback = guard.ConnectAsync,
            PooledConnectionLifetime = TimeSpan.FromMinutes(1),
            MaxResponseDrainSize = 4096,
            MaxResponseHeadersLength = 16,
            ActivityHeadersPropagator = null, // traces are ours
        })
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };
    }

    public async Task<SendResult> SendAsync(Guid webhook, ClaimedDelivery delivery, CancellationToken cancellationToken)
    {
        if (_envelopes.Open(webhook, delivery.Secret) is not { } secret)
        {
            return new(null, "the secret was sealed under another envelope key");
        }

        var url = new Uri(delivery.Url);
        if (!_guard.AllowsScheme(url))
        {
            return new(null, "must be https");
        }

        var body = CloudEvent.ToJson(_options.Source, delivery.EventId, delivery.Type, delivery.Subject, delivery.CreatedAt, delivery.Data);
        var id = delivery.EventId.ToString();
        var now = _time.GetUtcNow().ToUnixTimeSeconds();
        byte[]?[] secrets = [secret, delivery.PreviousSecret is { } previous ? _envelopes.Open(webhook, previous) : null];
        using var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue(CloudEvent.ContentType) { CharSet = "utf-8" };
        request.Headers.Add("webhook-id", id);
        request.Headers.Add("webhook-timestamp", now.ToString(CultureInfo.InvariantCulture));
        request.Headers.TryAddWithoutValidation("webhook-signature", WebhookSignature.Sign(id, now, body, secrets.OfType<byte[]>()));
        request.Headers.UserAgent.Add(new("OpenPlatform", "1"));
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(_options.Timeout);
        try
        {
            using var response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, timeout.Token);
            var status = (int)response.StatusCode;
            return response.IsSuccessStatusCode ? new(status, null) : new(status, $"answered {status}", IsFinal: response.StatusCode == System.Net.HttpStatusCode.Gone);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new(null, $"no answer within {_options.Timeout.TotalSeconds.ToString(CultureInfo.InvariantCulture)} s");
        }
        catch (HttpRequestException exception)
        {
            return new(null, exception.Message);
        }
    }

    public void Dispose() => _client.Dispose();
}
