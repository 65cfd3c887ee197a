namespace OpenPlatform.Gateway.Protection.Cors;

/// <summary>A CORS preflight: a browser's OPTIONS that asks whether a page may make another request (Fetch standard, 3.2.2).</summary>
internal static class Preflight
{
    /// <summary>True for a preflight; then <paramref name="method"/> is that of the request it asks about.</summary>
    public static bool TryRead(HttpRequest request, out string method)
    {
        method = string.Empty;
        if (!HttpMethods.IsOptions(request.Method) || request.Headers.Origin.Count != 1 || request.Headers.AccessControlRequestMethod is not [{ } asked])
        {
            return false;
        }

        method = asked;
        return true;
    }
}
