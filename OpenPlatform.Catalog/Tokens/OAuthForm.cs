using System.Text;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace OpenPlatform.Catalog.Tokens;

/// <summary>The parameters of a request to the token endpoint and its neighbours: a form, each parameter once (RFC 6749, 3.2).</summary>
internal sealed class OAuthForm
{
    private const int Largest = 64 * 1024;

    private readonly Dictionary<string, string> _parameters = new(StringComparer.Ordinal);

    /// <summary>The value; null when it is absent or empty, which is the same (RFC 6749, 3.1).</summary>
    public string? this[string name] => _parameters.GetValueOrDefault(name);

    /// <summary>The form, or the error.</summary>
    public static async Task<(OAuthForm? Form, OAuthError? Error)> ReadAsync(HttpRequest request)
    {
        if (!request.HasFormContentType || request.ContentType!.StartsWith("multipart/", StringComparison.OrdinalIgnoreCase))
        {
            return (null, OAuthError.InvalidRequest("the body must be application/x-www-form-urlencoded"));
        }

        if (request.QueryString.HasValue)
        {
            // Secrets in URLs end in logs.
            return (null, OAuthError.InvalidRequest("parameters belong into the body, not into the URL"));
        }

        request.HttpContext.Features.Get<IHttpMaxRequestBodySizeFeature>()?.MaxRequestBodySize = Largest;
        IFormCollection read;
        try
        {
            read = await request.ReadFormAsync(new FormOptions { ValueCountLimit = 32, KeyLengthLimit = 128, ValueLengthLimit = 16 * 1024, BufferBodyLengthLimit = Largest });
        }
        catch (Exception e) when (e is InvalidDataException or BadHttpRequestException or DecoderFallbackException)
        {
            return (null, OAuthError.InvalidRequest("the body cannot be read, or is too large"));
        }

        var form = new OAuthForm();
        foreach (var (name, values) in read)
        {
            if (values.Count > 1)
            {
                return (null, OAuthError.InvalidRequest("a parameter stands there twice"));
            }

            if (!StringValues.IsNullOrEmpty(values))
            {
                form._parameters[name] = values.ToString();
            }
        }

        return (form, null);
    }
}
