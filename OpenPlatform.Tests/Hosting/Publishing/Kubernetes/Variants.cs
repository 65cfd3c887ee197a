namespace OpenPlatform.Tests.Hosting.Publishing.Kubernetes;

/// <summary>Every way in which the AppHost can be published for Kubernetes, one option each.</summary>
internal static class Variants
{
    public static TheoryData<string> All => ["", "--Kubernetes:Postgres=CloudNativePg", "--Kubernetes:Postgres=Managed", "--Kubernetes:Redis=Managed", "--Kubernetes:Ingress=HttpRoute", "--Kubernetes:Ingress=None", "--Kubernetes:StorageClass=fast"];

    public static Task<Published> AppHostAsync(string variant) => Published.AppHostAsync("k8s", variant.Length == 0 ? [] : [variant]);
}
